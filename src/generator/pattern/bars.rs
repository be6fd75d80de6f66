//! Colour bars, in the full range of eight bits: black 0, 75 % 191, 100 % 255.
//!
//! SMPTE's are those of EG 1-1990: seven bars of 75 % over two thirds of the height, the castellations over a twelfth, and below
//! them -I, white, +Q and PLUGE, at the places the guideline gives. The EBU's are 100/0/75/0 (ITU-R BT.471). The values are those
//! of the table at <http://avisynth.nl/index.php/ColorBars>, expanded to the full range; PLUGE's blacker than black is black here.

use super::super::params::Params;

/// 75 % of 255 in each channel.
const THREE_QUARTERS: u32 = 0xbf;
const WHITE: u32 = 0x00ff_ffff;
const MINUS_I: u32 = 0x0000_3f69;
const PLUS_Q: u32 = 0x0041_0077;
/// The brightest step of PLUGE, 4 % above black.
const LIFTED_BLACK: u32 = 0x000a_0a0a;

/// Grey, yellow, cyan, green, magenta, red, blue, black from the lowest digit on, each a digit of three bits: red, green, blue.
const BARS: u32 = 0x0145_2367;
/// Blue, black, magenta, black, cyan, black, grey: the castellations.
const CASTELLATIONS: u32 = 0x0703_0501;

/// The colour of the digit at `index`, at 75 %.
fn three_quarters(digits: u32, index: u32) -> u32 {
    let digit = (digits >> (4 * index)) & 7;
    ((digit >> 2) * (THREE_QUARTERS << 16))
        | (((digit >> 1) & 1) * (THREE_QUARTERS << 8))
        | ((digit & 1) * THREE_QUARTERS)
}

/// White at 100 %, then seven bars at 75 %, the last of them black.
pub fn ebu(params: &Params, x: u32) -> u32 {
    let bar = x * 8 / params.width;
    if bar == 0 { WHITE } else { three_quarters(BARS, bar) }
}

/// Which of the three bands a row belongs to: 0 bars, 1 castellations, 2 PLUGE.
pub fn smpte_band(params: &Params, y: u32) -> u32 {
    let twelfth = y * 12 / params.height;
    u32::from(twelfth >= 8) + u32::from(twelfth >= 9)
}

/// The picture of EG 1.
pub fn smpte(params: &Params, x: u32, y: u32) -> u32 {
    let bar = x * 7 / params.width;
    match smpte_band(params, y) {
        0 => three_quarters(BARS, bar),
        1 => three_quarters(CASTELLATIONS, bar),
        // -I, white, +Q and black are five quarters of a bar wide each, PLUGE's three steps a third of one.
        _ => match x * 84 / params.width {
            0..15 => MINUS_I,
            15..30 => WHITE,
            30..45 => PLUS_Q,
            68..72 => LIFTED_BLACK,
            _ => 0,
        },
    }
}
