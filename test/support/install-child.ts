/**
 * Installs packages into a folder without a registry: a tarball is unpacked, other packages are linked from this
 * checkout, where `npm ci` installed them. The tests run it in place of `npm i`.
 */
import { execFileSync } from "node:child_process"
import { mkdir, readFile, realpath, symlink } from "node:fs/promises"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

const installed = fileURLToPath(new URL("../../node_modules/", import.meta.url))
const target = join(process.cwd(), "node_modules")

type Manifest = {
  readonly name: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly bin?: string | Readonly<Record<string, string>>
}

const manifestOf = async (folder: string): Promise<Manifest> =>
  JSON.parse(await readFile(join(folder, "package.json"), "utf8")) as Manifest

async function unpack(tarball: string): Promise<readonly string[]> {
  const folder = join(target, "ticket402")
  await mkdir(folder, { recursive: true })
  execFileSync("tar", ["-xzf", tarball, "-C", folder, "--strip-components=1"])
  return Object.keys((await manifestOf(folder)).dependencies ?? {})
}

async function link(name: string): Promise<void> {
  const destination = join(target, name)
  await mkdir(dirname(destination), { recursive: true })
  await symlink(await realpath(join(installed, name)), destination).catch(ignoreExisting)
  const { bin = {} } = await manifestOf(destination)
  const commands = typeof bin === "string" ? { [name]: bin } : bin
  await mkdir(join(target, ".bin"), { recursive: true })
  for (const [command, file] of Object.entries(commands))
    await symlink(join(destination, file), join(target, ".bin", command)).catch(ignoreExisting)
}

function ignoreExisting(error: unknown): void {
  if (!(error instanceof Error && "code" in error && error.code === "EEXIST")) throw error
}

const packages = process.argv.slice(2).filter((argument) => !argument.startsWith("-"))
for (const argument of packages)
  for (const name of argument.endsWith(".tgz") ? await unpack(argument) : [argument]) await link(name)
