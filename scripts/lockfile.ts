/**
 * Completes package-lock.json after a dependency was added. A registry mirror for one platform omits the optional
 * packages of other platforms, and `npm ci` refuses a lockfile without them.
 */
import { readFile, writeFile } from "node:fs/promises"

type Entry = {
  version?: string
  optional?: boolean
  dev?: boolean
  cpu?: string[]
  os?: string[]
  optionalDependencies?: Record<string, string>
}
type Lockfile = { packages: Record<string, Entry> }

const systems = [
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "aix",
  "win32",
]
const processors = [
  "arm64",
  "arm",
  "ia32",
  "loong64",
  "mips64el",
  "ppc64",
  "riscv64",
  "s390x",
  "x64",
  "wasm32",
]

/** Reads the platform of a package from its name: `@x/y-darwin-arm64`. */
function platformOf(name: string): Pick<Entry, "cpu" | "os"> {
  const words = name.split(/[-/.]/).map((word) => (word === "amd64" ? "x64" : word))
  const os = words.find((word) => systems.includes(word))
  const cpu = words.find((word) => processors.includes(word))
  // A package without an operating system (WebAssembly) must not be installed here: it cannot be fetched.
  return { os: [os ?? "none"], ...(cpu !== undefined && { cpu: [cpu] }) }
}

const file = new URL("../package-lock.json", import.meta.url)
const lockfile = JSON.parse(await readFile(file, "utf8")) as Lockfile
const added: string[] = []
for (const entry of Object.values({ ...lockfile.packages }))
  for (const [name, version] of Object.entries(entry.optionalDependencies ?? {})) {
    const path = `node_modules/${name}`
    if (path in lockfile.packages || !/^\d+\.\d+\.\d+/.test(version)) continue
    lockfile.packages[path] = {
      version,
      ...platformOf(name),
      ...(entry.dev && { dev: true }),
      optional: true,
    }
    added.push(name)
  }
lockfile.packages = Object.fromEntries(Object.entries(lockfile.packages).sort(([a], [b]) => (a < b ? -1 : 1)))
await writeFile(file, `${JSON.stringify(lockfile, null, 2)}\n`)
process.stdout.write(`${JSON.stringify({ added: added.length })}\n`)
