/**
 * Bundles programs of this project as JavaScript for tests that start many processes; compilation at each
 * start takes seven times as long.
 */
import { createHash, randomUUID } from "node:crypto"
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs"
import { basename, join } from "node:path"
import { buildSync } from "esbuild"

/** The working directory, because a bundle of this file lies in another folder. */
const root = process.cwd()
/** Below `node_modules`, so that imports of packages outside the bundle are resolved. */
const cache = join(root, "node_modules/.cache/ticket402")
/** Thread programs are separate files beside the program that starts them. */
export const threads = ["server/stores/sqlite/sqlite-thread.ts"]
/** Packages that are native, load others by name, or find their files relative to their own location. */
const external = ["better-sqlite3", "esbuild", "pg"]

const folders = new Map<string, string>()

/** The file to run instead of a program, given by its path from the project's root. */
export function bundled(script: string): string {
  const folder = folders.get(script) ?? findFresh(script) ?? bundle(script)
  folders.set(script, folder)
  return join(folder, basename(script).replace(/\.ts$/, ".js"))
}

/** Writes the compiled form of a program into a folder, under the program's own name. */
export function compileInto(folder: string, script: string): void {
  for (const { path, contents } of compile(script).outputFiles)
    writeFileSync(join(folder, basename(path)), contents)
}

/**
 * The inputs of a bundle with their versions: while none has changed, no process needs to build the bundle
 * again.
 */
type Recipe = { readonly folder: string; readonly inputs: Readonly<Record<string, string>> }

const recipeOf = (script: string): string => join(cache, `${script.replaceAll("/", "-")}.json`)

function findFresh(script: string): string | undefined {
  const file = recipeOf(script)
  if (!existsSync(file)) return undefined
  const { folder, inputs } = JSON.parse(readFileSync(file, "utf8")) as Recipe
  const isFresh = Object.entries(inputs).every(([path, version]) => versionOf(path) === version)
  return isFresh && existsSync(folder) ? folder : undefined
}

/** Time of change and size, as make compares them. */
function versionOf(path: string): string {
  const stat = statSync(join(root, path), { throwIfNoEntry: false })
  return stat ? `${stat.mtimeMs} ${stat.size}` : "gone"
}

function bundle(script: string): string {
  const { outputFiles, metafile } = compile(script)
  const hash = createHash("sha256")
  for (const { contents } of outputFiles) hash.update(contents)
  const folder = join(cache, hash.digest("hex").slice(0, 16))
  mkdirSync(cache, { recursive: true })
  if (!existsSync(folder)) {
    const draft = mkdtempSync(join(cache, "draft-"))
    for (const { path, contents } of outputFiles) writeFileSync(join(draft, basename(path)), contents)
    try {
      renameSync(draft, folder)
    } catch (error) {
      // Another process was faster, with the same content.
      rmSync(draft, { recursive: true })
      if (!existsSync(folder)) throw error
    }
  }
  const inputs = Object.fromEntries(Object.keys(metafile.inputs).map((path) => [path, versionOf(path)]))
  const draft = join(cache, `draft-${randomUUID()}.json`)
  writeFileSync(draft, JSON.stringify({ folder, inputs } satisfies Recipe))
  renameSync(draft, recipeOf(script))
  return folder
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
    metafile: true,
    platform: "node",
    format: "esm",
    external,
    // Some bundled packages still call `require`.
    banner: {
      js: 'import { createRequire as requireOf } from "node:module"; const require = requireOf(import.meta.url);',
    },
    logLevel: "warning",
  })
