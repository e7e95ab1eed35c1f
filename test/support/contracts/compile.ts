/** Compiles the Solidity sources of the repository and renders them as TypeScript. */
import { readFileSync } from "node:fs"
import { createRequire } from "node:module"
import solc from "solc"
import { type Abi, type AbiParameter, getContractAddress, type Hex, zeroHash } from "viem"

export type Artifact = { abi: Abi; bytecode: Hex }
export type Artifacts = {
  testProxy: Artifact
  testUsdc: Artifact
  testWallet: Artifact
  twoFacedWallet: Artifact
  multicall3: Artifact
  intakeRead: Artifact
  settler: Artifact
}
export type GeneratedFile = { url: URL; text: string }

type Compiled = { abi: Abi; evm: { bytecode: { object: string } } }
type CompilerOutput = {
  errors?: { severity: string; formattedMessage: string }[]
  contracts?: Record<string, Record<string, Compiled>>
}

/**
 * The order of the values in the answer of IntakeRead. Its constructor returns them by assembly, so its ABI
 * names no outputs.
 */
const intakeReadResult: readonly AbiParameter[] = [
  { name: "payerCode", type: "bytes32" },
  { name: "balance", type: "uint256" },
  { name: "usedWord", type: "uint256" },
  { name: "transferred", type: "bool" },
  { name: "received", type: "uint256" },
  { name: "blockNumber", type: "uint256" },
  { name: "blockTime", type: "uint256" },
]

/**
 * Arachnid's deployer, at this address on nearly every network: `to` of a creation by CREATE2, salt first.
 */
const create2Deployer: Hex = "0x4e59b44847b379578588920ca78fbf26c0b4956c"

/**
 * Contracts in the package lie beside the code that uses them; the others serve tests and the local chain.
 */
const folders = {
  TestProxy: "./",
  TestUSDC: "./",
  TestWallet: "./",
  TwoFacedWallet: "./",
  Multicall3: "./",
  IntakeRead: "../../../server/chains/contracts/",
  Settler: "../../../server/chains/contracts/",
} as const
type ContractName = keyof typeof folders

const sourceOf = (name: ContractName): URL => new URL(`${folders[name]}${name}.sol`, import.meta.url)

// Without metadata hash and trailer, so that the same source gives the same bytes in every checkout.
const settings = {
  optimizer: { enabled: true, runs: 200 },
  evmVersion: "cancun",
  metadata: { bytecodeHash: "none", appendCBOR: false },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object"] } },
}

export function compileContracts(): Artifacts {
  const input = {
    language: "Solidity",
    sources: Object.fromEntries(
      (Object.keys(folders) as ContractName[]).map((name) => [
        `${name}.sol`,
        { content: readFileSync(sourceOf(name), "utf8") },
      ]),
    ),
    settings,
  }
  const output: CompilerOutput = JSON.parse(solc.compile(JSON.stringify(input), { import: readPackage }))
  // A warning fails as well: nobody outside this project reads these contracts, so no warning needs to
  // remain.
  const complaints = output.errors ?? []
  if (complaints.length > 0) throw new Error(complaints.map((each) => each.formattedMessage).join("\n"))
  return {
    testProxy: artifact(output, "TestProxy"),
    testUsdc: artifact(output, "TestUSDC"),
    testWallet: artifact(output, "TestWallet"),
    twoFacedWallet: artifact(output, "TwoFacedWallet"),
    multicall3: artifact(output, "Multicall3"),
    intakeRead: artifact(output, "IntakeRead"),
    settler: artifact(output, "Settler"),
  }
}

export function generatedFiles(artifacts: Artifacts): GeneratedFile[] {
  const { testProxy, testUsdc, testWallet, twoFacedWallet, multicall3, intakeRead, settler } = artifacts
  return [
    {
      url: new URL("./artifacts/test-proxy.ts", import.meta.url),
      text: module("TestProxy", [`export const testProxy = ${json(testProxy)} as const`]),
    },
    {
      url: new URL("./artifacts/test-usdc.ts", import.meta.url),
      text: module("TestUSDC", [`export const testUsdc = ${json(testUsdc)} as const`]),
    },
    {
      url: new URL("./artifacts/test-wallet.ts", import.meta.url),
      text: module("TestWallet", [`export const testWallet = ${json(testWallet)} as const`]),
    },
    {
      url: new URL("./artifacts/two-faced-wallet.ts", import.meta.url),
      text: module("TwoFacedWallet", [`export const twoFacedWallet = ${json(twoFacedWallet)} as const`]),
    },
    {
      url: new URL("./artifacts/multicall3.ts", import.meta.url),
      text: module("Multicall3", [`export const multicall3 = ${json(multicall3)} as const`]),
    },
    {
      url: new URL("../../../server/core/settler.ts", import.meta.url),
      text: module("Settler", [
        `export const settlerCode: \`0x\${string}\` =\n  ${json(settler.bytecode)}`,
        `export const create2Deployer: \`0x\${string}\` = ${json(create2Deployer)}`,
        `export const settlerAddress: \`0x\${string}\` = ${json(addressOf(settler.bytecode))}`,
      ]),
    },
    {
      url: new URL("../../../server/chains/contracts/intake-read.ts", import.meta.url),
      text: module("IntakeRead", [
        `export const intakeReadCode: \`0x\${string}\` =\n  ${json(intakeRead.bytecode)}`,
        `export const intakeReadAbi = ${json(intakeRead.abi)} as const`,
        `export const intakeReadResult = ${json(intakeReadResult)} as const`,
      ]),
    },
  ]
}

/** The address at which the deployer puts this creation code, with a salt of zero. */
const addressOf = (bytecode: Hex): string =>
  getContractAddress({
    opcode: "CREATE2",
    from: create2Deployer,
    salt: zeroHash,
    bytecode,
  }).toLowerCase()

function readPackage(path: string): { contents: string } | { error: string } {
  try {
    return { contents: readFileSync(createRequire(import.meta.url).resolve(path), "utf8") }
  } catch (error) {
    return { error: String(error) }
  }
}

function artifact(output: CompilerOutput, name: string): Artifact {
  const compiled = output.contracts?.[`${name}.sol`]?.[name]
  if (compiled === undefined) throw new Error(`the compiler returned no contract ${name}`)
  return { abi: compiled.abi, bytecode: `0x${compiled.evm.bytecode.object}` }
}

function module(source: ContractName, declarations: string[]): string {
  const path = sourceOf(source).pathname.slice(new URL("../../../", import.meta.url).pathname.length)
  const header = `/** Generated from ${path} by \`npm run contracts\`: change it there. */`
  return `${[header, ...declarations].join("\n\n")}\n`
}

/** Solidity's internal type names are not used by viem. */
function json(value: unknown): string {
  return JSON.stringify(value, (key, each) => (key === "internalType" ? undefined : each), 2)
}
