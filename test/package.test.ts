import { execFile, spawn } from "node:child_process"
import { once } from "node:events"
import { cp, mkdir, mkdtemp, readFile, realpath, rm, symlink, writeFile } from "node:fs/promises"
import { tmpdir } from "node:os"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"
import ts from "typescript"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { browserBundle, leaks } from "./support/browser-bundle.ts"
import { configInput } from "./support/offers.ts"

const root = fileURLToPath(new URL("..", import.meta.url))
let folder: string
/** The packed files, as paths inside the package. */
let packed: readonly string[]

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "package-"))
  const project = join(folder, "project")
  await mkdir(project)
  for (const file of ["package.json", "README.md", "LICENSE"]) await cp(join(root, file), join(project, file))
  const tsc = join(root, "node_modules/typescript/bin/tsc")
  // Without type checks, which `npm run check` does; this keeps the test fast.
  const built = await run(root, [
    tsc,
    "-p",
    "tsconfig.build.json",
    "--noCheck",
    "--outDir",
    join(project, "dist"),
  ])
  expect(built).toMatchObject({ code: 0, output: "" })
  const report = await command(project, "npm", ["pack", "--json", "--ignore-scripts", "--loglevel=error"])
  const [tarball] = JSON.parse(report.stdout) as { filename: string; files: { path: string }[] }[]
  packed = tarball!.files.map((file) => file.path)
  await command(project, "tar", ["-xzf", tarball!.filename, "-C", folder])
}, 120_000)
afterAll(() => rm(folder, { recursive: true, force: true }))

/** Installs the package with its regular dependencies and the named optional ones. */
async function install(name: string, ...others: string[]): Promise<string> {
  const app = join(folder, name)
  const manifest = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as {
    dependencies: Record<string, string>
  }
  await cp(join(folder, "package"), join(app, "node_modules/ticket402"), { recursive: true })
  for (const dependency of [...Object.keys(manifest.dependencies), ...others]) {
    const link = join(app, "node_modules", dependency)
    await mkdir(dirname(link), { recursive: true })
    await symlink(await realpath(join(root, "node_modules", dependency)), link)
  }
  await writeFile(join(app, "package.json"), '{ "type": "module" }')
  await writeFile(
    join(app, "config.json"),
    JSON.stringify(
      configInput({
        networks: { "eip155:11155111": { rpcUrls: ["http://127.0.0.1:9"] } },
        listen: "127.0.0.1:0",
      }),
    ),
  )
  return app
}

async function command(cwd: string, file: string, args: readonly string[]) {
  return new Promise<{ code: number; stdout: string; output: string }>((resolve) => {
    execFile(file, args, { cwd, env: { PATH: process.env.PATH } }, (error, stdout, stderr) => {
      const code = error ? (typeof error.code === "number" ? error.code : 1) : 0
      resolve({ code, stdout, output: `${stdout}${stderr}` })
    })
  })
}
const run = (cwd: string, args: readonly string[]) => command(cwd, process.execPath, args)

async function evaluate(app: string, code: string) {
  await writeFile(join(app, "code.js"), code)
  return run(app, ["code.js"])
}

/** As `module: commonjs` had it before TypeScript 6: it reads no `exports`. */
const olderResolution = {
  moduleResolution: ts.ModuleResolutionKind.Node10,
  ignoreDeprecations: "6.0",
} as const

async function entriesOf(app: string): Promise<readonly string[]> {
  const { exports } = JSON.parse(await readFile(join(app, "node_modules/ticket402/package.json"), "utf8"))
  return Object.keys(exports).filter((name) => name !== "." && !name.endsWith(".json"))
}

const importsOf = (entries: readonly string[]): string =>
  entries.map((name, at) => `import * as entry${at} from "ticket402${name.slice(1)}"\n`).join("") +
  entries.map((_, at) => `console.log(entry${at})\n`).join("")

/** As a CommonJS file loads ES modules where `import` becomes `require`. */
const dynamicImportsOf = (entries: readonly string[]): string =>
  entries.map((name) => `void import("ticket402${name.slice(1)}").then(console.log)\n`).join("")

const bin = "node_modules/ticket402/dist/scripts/ticket402.js"

describe("the npm package", () => {
  it("contains the build, the README and the licence, and nothing else", () => {
    expect(packed).toEqual(
      expect.arrayContaining([
        "LICENSE",
        "README.md",
        "package.json",
        "dist/server/stores/sqlite/sqlite-thread.js",
      ]),
    )
    const roots =
      /^(dist\/(client|server|shared)\/|dist\/scripts\/(agent-commands|ticket402)\.|LICENSE$|README\.md$|package\.json$)/
    expect(packed.filter((path) => !roots.test(path))).toEqual([])
    expect(packed.filter((path) => /\.ts$/.test(path) && !/\.d\.ts$/.test(path))).toEqual([])
  })

  it("runs the client without a server framework or a native module installed", async () => {
    const app = await install("agent")
    for (const absent of ["express", "better-sqlite3"])
      expect((await evaluate(app, `await import("${absent}")`)).output).toContain("ERR_MODULE_NOT_FOUND")
    const { output } = await evaluate(
      app,
      `import { createClient } from "ticket402/client"
       import { networks } from "ticket402/shared"
       import { privateKeyToAccount } from "viem/accounts"
       const account = privateKeyToAccount("0x" + "7".repeat(64))
       const client = createClient({ account, budget: { perPurchase: "0.05", perDay: "1" }, networks: [...networks.keys()] })
       console.log(typeof client.fetch)`,
    )
    expect(output).toBe("function\n")
  })

  it("names the package that is missing and its purpose", async () => {
    const app = await install("seller")
    const { output } = await evaluate(
      app,
      `import { readFileSync } from "node:fs"
       import { createIssuer } from "ticket402/server"
       await createIssuer(JSON.parse(readFileSync("config.json", "utf8"))).catch((error) => console.log(error.message))`,
    )
    expect(output).toBe("The SQLite store needs the package better-sqlite3: npm i better-sqlite3\n")
    const served = await run(app, [bin, "serve", "--config", "config.json"])
    expect(served).toMatchObject({
      code: 78,
      output: "config.json: serve needs the package express: npm i express\n",
    })
    const withExpress = await run(await install("express", "express"), [
      bin,
      "serve",
      "--config",
      "config.json",
    ])
    expect(withExpress.code).toBe(78)
    expect(withExpress.output).toBe(
      "config.json: The SQLite store needs the package better-sqlite3: npm i better-sqlite3\n",
    )
  })

  it("runs the command in plain Node with the store in its thread", async () => {
    const app = await install("service", "express", "better-sqlite3")
    const text = await readFile(join(app, bin), "utf8")
    expect(text.split("\n")[0]).toBe("#!/usr/bin/env node")
    expect((await run(app, [bin, "--help"])).output).toContain("serve [options]")
    const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8"))
    expect(await run(app, [bin, "--version"])).toMatchObject({ code: 0, output: `${version}\n` })
    const service = spawn(process.execPath, [bin, "serve", "--config", "config.json", "--example"], {
      cwd: app,
      stdio: ["ignore", "pipe", "ignore"],
    })
    const [line] = await once(service.stdout, "data")
    const { listening } = JSON.parse(String(line))
    expect((await fetch(`${listening}/movies/1`)).status).toBe(402)
    service.kill("SIGTERM")
    expect(await once(service, "close")).toEqual([0, null])
  })

  it.each([
    ["a CommonJS project", { module: ts.ModuleKind.NodeNext }, importsOf],
    ["a CommonJS project of node16", { module: ts.ModuleKind.Node16 }, dynamicImportsOf],
    ["an older CommonJS project", { module: ts.ModuleKind.CommonJS, ...olderResolution }, importsOf],
  ] as const)(
    "type-checks in %s without the types of a browser",
    async (name, options, codeOf) => {
      const app = await install(name, "express", "better-sqlite3", "axios", "undici", "@types")
      await writeFile(join(app, "package.json"), "{}")
      const main = join(app, "main.ts")
      await writeFile(main, codeOf(await entriesOf(app)))
      const program = ts.createProgram([main], {
        ...{ ...options, strict: true, noEmit: true, types: ["node"], lib: ["lib.es2023.d.ts"] },
        target: ts.ScriptTarget.ES2023,
        typeRoots: [join(root, "node_modules/@types")],
      })
      // The declarations of other packages are theirs to check.
      const files = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(app))
      expect(files.length).toBeGreaterThan(100)
      const found = files.flatMap((file) => program.getSemanticDiagnostics(file))
      expect(found.map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "))).toEqual([])
    },
    120_000,
  )

  it("keeps Node and server code out of the client", async () => {
    const bundled = await browserBundle(join(folder, "package/dist/client/index.js"))
    expect(leaks(bundled)).toEqual([])
    const server = await browserBundle(join(folder, "package/dist/server/stores/sqlite/store.js"))
    expect(leaks(server).join("\n"), "the leak check finds leaks in the server").toMatch(
      /sqlite\/sqlite-thread|node:/,
    )
  })
})
