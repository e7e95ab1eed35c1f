/** `npm run bundle`: bundles the client for browsers, finds foreign code in it and prints its size. */
import { gzipSync } from "node:zlib"
import { browserBundle, leaks } from "../test/support/browser-bundle.ts"

/** The limit with gzip. A larger bundle contains something that nobody reviewed. */
const mostBytes = 100_000

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
