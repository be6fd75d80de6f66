//! From PTX to C: registers become variables, branches become `goto`. It knows the instructions that integer code without
//! memory of its own is compiled to, and stops at any other. Meanings are those of the PTX ISA
//! (<https://docs.nvidia.com/cuda/parallel-thread-execution/>); shifts by more than the width give zero or the sign.

use std::fmt::Write as _;

/// What the translation needs, and `main.c` beside it.
const PRELUDE: &str = "
typedef unsigned char u8;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int32_t i32;
typedef int64_t i64;
typedef struct { u8 bytes[64]; } Params;
static u32 shl_u32(u32 a, u32 by) { return by > 31 ? 0 : a << by; }
static u64 shl_u64(u64 a, u32 by) { return by > 63 ? 0 : a << by; }
static u32 shr_u32(u32 a, u32 by) { return by > 31 ? 0 : a >> by; }
static u64 shr_u64(u64 a, u32 by) { return by > 63 ? 0 : a >> by; }
static i32 shr_i32(i32 a, u32 by) { return a >> (by > 31 ? 31 : by); }
static i64 shr_i64(i64 a, u32 by) { return a >> (by > 63 ? 63 : by); }
static u32 load_u32(const void *at) { u32 value; memcpy(&value, at, 4); return value; }
static u64 load_u64(const void *at) { u64 value; memcpy(&value, at, 8); return value; }
void bmp_part(uint4 *out, u64 n16, u64 file_off, Params P) {
";
/// The entry's parameters, and what they are called in C.
const PARAMETERS: [(&str, &str); 4] = [
    ("bmp_part_param_0", "&out"),
    ("bmp_part_param_1", "&n16"),
    ("bmp_part_param_2", "&file_off"),
    ("bmp_part_param_3", "P.bytes"),
];

/// C that defines `bmp_part` as the PTX does.
pub(crate) fn translated(ptx: &str) -> String {
    let (_, entry) = ptx.split_once(".visible .entry bmp_part(").unwrap();
    let (parameters, body) = entry.split_once(")\n{\n").unwrap();
    for (name, _) in PARAMETERS {
        assert!(parameters.contains(name), "no parameter {name}");
    }
    let mut code = PRELUDE.to_owned();
    for line in body.lines().map(str::trim) {
        match line {
            "" | "}" => {}
            // Advice to the driver's compiler.
            _ if line.starts_with("//") || line.starts_with(".pragma") => {}
            _ if line.starts_with(".reg") => registers(&mut code, line),
            _ if line.ends_with(':') => writeln!(code, "{};", line.replace('$', "")).unwrap(),
            _ => writeln!(code, "{}", statement(line.strip_suffix(';').unwrap())).unwrap(),
        }
    }
    code + "}\n"
}

/// `.reg .b32 %r<645>;` declares 645 variables.
fn registers(code: &mut String, line: &str) {
    let words: Vec<&str> = line.split_whitespace().collect();
    let kind = match words[1] {
        ".pred" => "u8",
        ".b32" => "u32",
        ".b64" => "u64",
        other => panic!("registers of type {other}"),
    };
    let (name, count) = words[2].trim_start_matches('%').trim_end_matches(">;").split_once('<').unwrap();
    for index in 0..count.parse().unwrap() {
        let index: u32 = index;
        writeln!(code, "{kind} {name}{index};").unwrap();
    }
}

/// An instruction, with its guard.
fn statement(line: &str) -> String {
    let Some(guarded) = line.strip_prefix('@') else { return instruction(line) };
    let (guard, rest) = guarded.split_once([' ', '\t']).unwrap();
    format!("if ({}) {}", guard.replace('%', ""), instruction(rest.trim()))
}

fn instruction(line: &str) -> String {
    let (opcode, operands) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    let words: Vec<&str> = opcode.split('.').collect();
    let operands: Vec<String> = split(operands).iter().map(|operand| value(operand)).collect();
    let operands: Vec<&str> = operands.iter().map(String::as_str).collect();
    match (words.as_slice(), operands.as_slice()) {
        (["ret"], []) => "return;".to_owned(),
        (["bra"] | ["bra", "uni"], [label]) => format!("goto {label};"),
        (["ld", "param", ..], [to, from]) => load(&words, to, from),
        (["st", "global", "v4", "u32"], [to, from]) => store(to, from),
        (["setp", comparison, kind], [to, a, b]) => {
            let kind = c_type(kind);
            format!("{to} = ({kind}){a} {} ({kind}){b};", operator(comparison))
        }
        (["selp", kind], [to, a, b, guard]) => {
            let kind = c_type(kind);
            format!("{to} = {guard} ? ({kind}){a} : ({kind}){b};")
        }
        (_, [to, from @ ..]) => format!("{to} = {};", expression(&words, from)),
        _ => panic!("{line}"),
    }
}

/// What instructions with one result compute.
fn expression(words: &[&str], operands: &[&str]) -> String {
    let kind = c_type(words.last().unwrap());
    match (words, operands) {
        (["mov", _] | ["cvta", "to", "global", "u64"], [a]) => format!("({kind}){a}"),
        (["cvt", to, _], [a]) => format!("({})({kind}){a}", c_type(to)),
        (["not", "pred"], [a]) => format!("!{a}"),
        (["not", _], [a]) => format!("~({kind}){a}"),
        (["neg", _], [a]) => format!("-({kind}){a}"),
        (["abs", _], [a]) => format!("({kind}){a} < 0 ? -({kind}){a} : ({kind}){a}"),
        (["mul", "wide", "u32"], [a, b]) => format!("(u64)(u32){a} * (u32){b}"),
        (["mul", "wide", "s32"], [a, b]) => format!("(i64)(i32){a} * (i32){b}"),
        (["mad", "lo", _], [a, b, c]) => format!("({kind}){a} * ({kind}){b} + ({kind}){c}"),
        (["shl" | "shr", _], [a, b]) => format!("{}_{kind}(({kind}){a}, (u32){b})", words[0]),
        (["add" | "sub" | "div" | "rem" | "and" | "or" | "xor", _] | ["mul", "lo", _], [a, b]) => {
            format!("({kind}){a} {} ({kind}){b}", operator(words[0]))
        }
        _ => panic!("no translation of {} with {operands:?}", words.join(".")),
    }
}

/// `ld.param.u64` and the like; several registers are loaded from places that follow each other.
fn load(words: &[&str], to: &str, from: &str) -> String {
    let kind = c_type(words.last().unwrap());
    let width = if kind == "u64" { 8 } else { 4 };
    let targets: Vec<&str> = to.trim_matches(['{', '}']).split(", ").collect();
    let one =
        |(index, target): (usize, &&str)| format!("{target} = load_{kind}((const u8 *)({from}) + {});", index * width);
    targets.iter().enumerate().map(one).collect()
}

fn store(to: &str, from: &str) -> String {
    format!("{{ uint4 value = {from}; *(uint4 *)({to}) = value; }}")
}

fn operator(word: &str) -> &'static str {
    match word {
        "add" => "+",
        "sub" => "-",
        "mul" => "*",
        "div" => "/",
        "rem" => "%",
        "and" => "&",
        "or" => "|",
        "xor" => "^",
        "eq" => "==",
        "ne" => "!=",
        "lt" => "<",
        "le" => "<=",
        "gt" => ">",
        "ge" => ">=",
        other => panic!("no operator for {other}"),
    }
}

fn c_type(word: &str) -> &'static str {
    match word {
        "pred" => "u8",
        "b32" | "u32" => "u32",
        "b64" | "u64" => "u64",
        "s32" => "i32",
        "s64" => "i64",
        other => panic!("no type for {other}"),
    }
}

/// Operands, of which braces hold several that stay together.
fn split(operands: &str) -> Vec<String> {
    let mut found = vec![String::new()];
    let mut depth = 0;
    for c in operands.trim().chars() {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                found.push(String::new());
                continue;
            }
            _ => {}
        }
        found.last_mut().unwrap().push(c);
    }
    found.iter().map(|operand| operand.trim().to_owned()).filter(|operand| !operand.is_empty()).collect()
}

/// A register, a number, a label, an address, or several registers.
fn value(operand: &str) -> String {
    let special = [("%ctaid.x", "blockIdx.x"), ("%ntid.x", "blockDim.x"), ("%tid.x", "threadIdx.x")];
    if let Some((_, name)) = special.iter().find(|(register, _)| *register == operand) {
        return (*name).to_owned();
    }
    if let Some(address) = operand.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        let (base, offset) = address.split_once('+').unwrap_or((address, "0"));
        let base =
            PARAMETERS.iter().find(|(name, _)| *name == base).map_or(base.replace('%', ""), |(_, c)| (*c).to_owned());
        return format!("(u8 *){base} + {offset}");
    }
    if operand.parse::<i64>().is_ok() {
        return format!("{operand}LL");
    }
    assert!(operand.starts_with(['%', '{', '$']), "what is {operand}?");
    operand.replace(['%', '$'], "")
}

#[test]
fn instructions_become_statements() {
    for (ptx, c) in [
        ("add.s32 \t%r1, %r2, -54", "r1 = (i32)r2 + (i32)-54LL;"),
        ("@!%p1 bra \t$L__BB0_3", "if (!p1) goto L__BB0_3;"),
        ("mov.u32 \t%r1, %tid.x", "r1 = (u32)threadIdx.x;"),
        ("shr.s32 \t%r1, %r2, 31", "r1 = shr_i32((i32)r2, (u32)31LL);"),
        ("setp.gt.s32 \t%p1, %r2, 15", "p1 = (i32)r2 > (i32)15LL;"),
        ("selp.b32 \t%r1, 16, %r2, %p3", "r1 = p3 ? (u32)16LL : (u32)r2;"),
        ("cvt.s64.s32 \t%rd1, %r2", "rd1 = (i64)(i32)r2;"),
        (
            "ld.param.v2.u32 \t{%r1, %r2}, [bmp_part_param_3+8]",
            "r1 = load_u32((const u8 *)((u8 *)P.bytes + 8) + 0);r2 = load_u32((const u8 *)((u8 *)P.bytes + 8) + 4);",
        ),
        (
            "st.global.v4.u32 \t[%rd1], {%r1, %r2, %r3, %r4}",
            "{ uint4 value = {r1, r2, r3, r4}; *(uint4 *)((u8 *)rd1 + 0) = value; }",
        ),
    ] {
        assert_eq!(statement(ptx), c);
    }
}
