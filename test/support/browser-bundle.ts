/** Bundles the client for a browser and finds code of Node or of the server in the bundle. */
import { fileURLToPath } from "node:url"
import { type BuildOptions, build } from "esbuild"

const root = fileURLToPath(new URL("../..", import.meta.url))
/** Packages for Node, and identifiers that exist only in Node. */
const forbidden =
  /better-sqlite3|\b(?:express|pino|undici|axios|commander|env-paths)\b|@modelcontextprotocol|node:|\bBuffer\.|\bprocess\.|\brequire\(/
/** An entry point of the client with all its dependencies, as one module. */
export async function browserBundle(entry: string, options: BuildOptions = {}): Promise<string> {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    // These modules stay external, so that an import of one remains visible in the text of the bundle.
    external: ["node:*", "better-sqlite3", "express"],
    nodePaths: [fileURLToPath(new URL("../../node_modules", import.meta.url))],
    legalComments: "none",
    logLevel: "silent",
    ...options,
  })
  return outputFiles?.[0]?.text ?? ""
}

/** Each forbidden line of a bundle, after the name of its module. */
export function leaks(bundle: string): string[] {
  let module = ""
  return bundle.split("\n").flatMap((line) => {
    if (/^\/\/ \S+\.[mc]?[jt]s$/.test(line)) module = line.slice(3)
    return forbidden.test(line) ? [`${module}: ${line.trim().slice(0, 80)}`] : []
  })
}
