/** `npm run bundle`: the client as a browser loads it: that nothing of Node or of a server is in it, and how large it is. */
import { fileURLToPath, pathToFileURL } from "node:url"
import { gzipSync } from "node:zlib"
import { type BuildOptions, build } from "esbuild"

const root = fileURLToPath(new URL("..", import.meta.url))
/** Packages for Node, and words that only Node knows. */
const foreign =
  /better-sqlite3|\b(?:express|pino|undici|axios|commander|env-paths)\b|@modelcontextprotocol|node:|\bBuffer\.|\bprocess\.|\brequire\(/
/** Packed; what is larger has gained something that was not looked at. */
const mostBytes = 100_000

/** An entry of the client with everything it brings, as one module. */
export async function browserBundle(entry: string, options: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    // What must not be there is found in the text, with the name of the module that wants it.
    external: ["node:*", "better-sqlite3", "express"],
    nodePaths: [fileURLToPath(new URL("../node_modules", import.meta.url))],
    legalComments: "none",
    logLevel: "silent",
    ...options,
  })
  return outputFiles?.[0]?.text ?? ""
}

/** Each line that must not be in a bundle, behind the name of its module. */
export function leaks(bundle: string): string[] {
  let module = ""
  return bundle.split("\n").flatMap((line) => {
    if (/^\/\/ \S+\.[mc]?[jt]s$/.test(line)) module = line.slice(3)
    return foreign.test(line) ? [`${module}: ${line.trim().slice(0, 80)}`] : []
  })
}

async function main(): Promise<void> {
  const [bundle, minified] = await Promise.all([
    browserBundle("client/index.ts"),
    browserBundle("client/index.ts", { minify: true }),
  ])
  const found = leaks(bundle)
  for (const leak of found) process.stderr.write(`must not be in the client's bundle: ${leak}\n`)
  const packed = gzipSync(minified).length
  const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`
  process.stdout.write(
    `client for browsers: ${kilobytes(minified.length)}, ${kilobytes(packed)} with gzip (at most ${kilobytes(mostBytes)})\n`,
  )
  if (found.length > 0 || packed > mostBytes) process.exitCode = 1
}

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) await main()
