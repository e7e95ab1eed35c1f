/**
 * Keeps a key ring in a folder that several processes share. The whole ring is one file, and a change is a new file of
 * the next number. A link to an existing number fails, so of two parallel changes one succeeds and the other starts again.
 * A process that dies leaves no lock behind.
 */
import { readdir, unlink } from "node:fs/promises"
import { join } from "node:path"
import { createSecret, hasCode, KeyFileError, ownFolder, readSecret } from "./files.ts"
import { emptyRing, type KeyRing, mostTries, parseRing, type RingStorage, type RingVersion } from "./ring.ts"

const namePattern = /^ring-([1-9][0-9]{0,11})\.json$/

export function createRingFile(folder: string): RingStorage {
  const fileOf = (number: number): string => join(folder, `ring-${number}.json`)

  async function numbers(): Promise<readonly number[]> {
    const found = (await readdir(folder)).flatMap((name) => namePattern.exec(name)?.[1] ?? [])
    return found.map(Number).sort((a, b) => b - a)
  }

  async function read(known?: RingVersion): Promise<RingVersion> {
    for (let tries = 0; tries < mostTries; tries++) {
      const [number = 0] = await numbers()
      if (number === known?.number) return known
      if (number === 0) return { number, ring: emptyRing }
      const text = await readSecret(fileOf(number))
      // Replaced between the two looks.
      if (text !== undefined) return { number, ring: parseRing(fileOf(number), text) }
    }
    throw new KeyFileError(`${folder}: changes faster than it can be read`)
  }

  async function update(change: (ring: KeyRing) => KeyRing): Promise<RingVersion> {
    for (let tries = 0; tries < mostTries; tries++) {
      const found = await read()
      const ring = change(found.ring)
      if (ring === found.ring) return found
      const number = found.number + 1
      if (!(await createSecret(fileOf(number), JSON.stringify(ring)))) continue
      const [newest = 0, ...older] = await numbers()
      // The number was free again, because later changes had swept it away.
      if (newest !== number) {
        await remove(fileOf(number))
        continue
      }
      // Old private keys do not lie about.
      for (const each of older) await remove(fileOf(each))
      return { number, ring }
    }
    throw new KeyFileError(`${folder}: changes faster than it can be changed`)
  }

  return { place: folder, open: () => ownFolder(folder), read, update }
}

/** The id of the ring in a folder; empty without one. Changes nothing, so that a command makes no folder of keys. */
export async function readRingId(folder: string): Promise<string> {
  try {
    return (await createRingFile(folder).read()).ring.id ?? ""
  } catch (error) {
    if (hasCode(error, "ENOENT")) return ""
    throw error
  }
}

async function remove(file: string): Promise<void> {
  await unlink(file).catch((error: unknown) => {
    if (!hasCode(error, "ENOENT")) throw error
  })
}
