/** Programs of this project as plain JavaScript, for tests that start many processes: compiled at each start they cost seven times as much. */
import { createHash } from "node:crypto"
import { existsSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs"
import { basename, join } from "node:path"
import { buildSync } from "esbuild"

/** Not by this file's own place, which is another one when it is bundled itself. */
const root = process.cwd()
/** Below `node_modules`, so that what is not bundled is found. */
const cache = join(root, "node_modules/.cache/ticket402")
/** Threads are files of their own, beside the program that starts them. */
export const threads = ["server/stores/sqlite-thread.ts", "server/chains/signature-thread.ts"]
/** One is native, the others find files by their own place. */
const external = ["better-sqlite3", "esbuild", "tinypool"]

const known = new Map<string, string>()

/** The file to run in place of a program, which is given by its path from the project's root. */
export function bundled(script: string): string {
  const file = known.get(script) ?? bundle(script)
  known.set(script, file)
  return file
}

/** Writes the compiled form of a program into a folder, under the program's own name. */
export function compileInto(folder: string, script: string): void {
  for (const { path, contents } of compile(script)) writeFileSync(join(folder, basename(path)), contents)
}

function bundle(script: string): string {
  const hash = createHash("sha256")
  for (const { contents } of compile(script)) hash.update(contents)
  const folder = join(cache, hash.digest("hex").slice(0, 16))
  if (!existsSync(folder)) {
    mkdirSync(cache, { recursive: true })
    const draft = mkdtempSync(join(cache, "draft-"))
    compileInto(draft, script)
    try {
      renameSync(draft, folder)
    } catch (error) {
      // Another process was faster, with the same content.
      rmSync(draft, { recursive: true })
      if (!existsSync(folder)) throw error
    }
  }
  return join(folder, basename(script).replace(/\.ts$/, ".js"))
}

const compile = (script: string) =>
  buildSync({
    absWorkingDir: root,
    entryPoints: [script, ...threads],
    entryNames: "[name]",
    outdir: cache,
    bundle: true,
    splitting: true,
    write: false,
    platform: "node",
    format: "esm",
    external,
    // For packages inside that still call it.
    banner: {
      js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);',
    },
    logLevel: "warning",
  }).outputFiles
