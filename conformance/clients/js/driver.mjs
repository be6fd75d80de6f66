// The lines that a JavaScript client exchanges with its Python file: see `steps.Driver`.

import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";

/** The settings that the Python file gives as the last argument. */
export const settings = JSON.parse(process.argv.at(-1));

/** The version of an installed package. */
export function versionOf(name) {
  return JSON.parse(readFileSync(new URL(`node_modules/${name}/package.json`, import.meta.url))).version;
}

function print(answer) {
  process.stdout.write(JSON.stringify(answer) + "\n");
}

/** Answers requests with the methods of `client` until there are no more. */
export async function serve(version, client) {
  print({ ok: version });
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: name, ...request } = JSON.parse(line);
    try {
      print({ ok: (await client[name](request)) ?? null });
    } catch (error) {
      console.error(error);
      print({ error: `${error?.name ?? "Error"}: ${error?.message ?? error}` });
    }
  }
}
