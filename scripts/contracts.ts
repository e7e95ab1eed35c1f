/** `npm run contracts`: compiles the Solidity sources and writes them as TypeScript modules. */
import { writeFileSync } from "node:fs"
import { fileURLToPath } from "node:url"
import { compileContracts, generatedFiles } from "../test/support/contracts/compile.ts"

for (const { url, text } of generatedFiles(compileContracts())) {
  writeFileSync(url, text)
  console.log(`wrote ${fileURLToPath(url)}`)
}
