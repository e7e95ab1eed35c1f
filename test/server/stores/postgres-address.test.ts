import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll, describe, expect, it } from "vitest"
import { StoreFileError } from "../../../server/ports/store.ts"
import { openStore } from "../../../server/stores/index.ts"
import { placeOf, readAddress } from "../../../server/stores/postgres/address.ts"

const folder = mkdtempSync(join(tmpdir(), "address-"))
const passwordFile = join(folder, "password")
writeFileSync(passwordFile, "se:cr@t/et\n")
afterAll(() => rmSync(folder, { recursive: true }))

describe("the address of a PostgreSQL database", () => {
  it("names host, port, user and database, decoded", () => {
    expect(readAddress("postgres://a%40b@db.example:6432/my%20books?sslmode=disable", undefined)).toEqual({
      host: "db.example",
      port: 6432,
      user: "a@b",
      database: "my books",
      password: undefined,
      tls: false,
      place: "postgres://a%40b@db.example:6432/my%20books?sslmode=disable",
    })
    expect(readAddress("postgresql://u@%2Frun%2Fpostgresql/books", undefined)).toMatchObject({
      host: "/run/postgresql",
      port: 5432,
      tls: false,
    })
    expect(readAddress("postgres://u@[::1]/books", undefined).host).toBe("::1")
  })

  it.each([
    ["127.0.0.1", "", false],
    ["localhost", "", false],
    ["db.example", "?sslmode=disable", false],
    ["db.example", "", { ca: undefined }],
    ["10.0.0.7", "", { ca: undefined }],
    ["127.0.0.1.example", "", { ca: undefined }],
    ["db.example", "?sslmode=require", { ca: undefined }],
    ["db.example", "?sslmode=verify-ca", { ca: undefined }],
    ["127.0.0.1", "?sslmode=verify-full", { ca: undefined }],
  ])("encrypts to %s%s with a checked certificate: %j", (host, query, tls) => {
    expect(readAddress(`postgres://u@${host}/books${query}`, undefined).tls).toEqual(tls)
  })

  it.each([
    ["postgres://u@h/books?sslmode=prefer", "found sslmode=prefer, wanted verify-full"],
    ["postgres://u@h/books?sslmode=allow", "found sslmode=allow"],
    ["postgres://u@h/books?sslmode=disable&sslrootcert=x", "sslrootcert without TLS"],
    ["postgres://u@h/books?sslrootcert=/nowhere", "sslrootcert cannot be read (ENOENT)"],
    ["postgres://u@h/books?options=-c%20fsync%3Doff", "found the parameter options"],
    ["postgres://u@h", "found no host, user or database"],
    ["postgres://h/books", "found no host, user or database"],
    ["postgres://u@h/books/more", "found no host, user or database"],
    ["postgres://u@h:port/books", "found no URL"],
    ["postgres://u:%zz@h/books", "found no URL"],
    ["postgres://u@h/books#x", "found a fragment"],
  ])("is refused with its fault: %s", (url, words) => {
    expect(() => readAddress(url, undefined)).toThrow(StoreFileError)
    expect(() => readAddress(url, undefined)).toThrow(words)
  })
})

describe("the password of a PostgreSQL database", () => {
  it("comes from the file, or from the address, but not from both", () => {
    expect(readAddress("postgres://u@h/books", passwordFile).password).toBe("se:cr@t/et")
    expect(readAddress("postgres://u:p%40ss@h/books", undefined).password).toBe("p@ss")
    expect(() => readAddress("postgres://u:pass@h/books", passwordFile)).toThrow("one of them")
    expect(() => readAddress("postgres://u@h/books", join(folder, "none"))).toThrow(
      "databasePasswordFile cannot be read (ENOENT)",
    )
  })

  it.each([
    "postgres://u:hidden@h/books",
    "postgres://u:hid@den@h/books",
    "postgres://u:hid/den@h/books",
    "postgres://:hidden@h/books",
  ])("is in no message about %j", async (url) => {
    expect(placeOf(url)).not.toMatch(/hid|den/)
    const refused = (address: string) => openStore(address).catch(String)
    for (const address of [`${url}?no=1`, url.replace("postgres:", "postgre:"), url.replace("@h", "@")])
      expect(await refused(address)).not.toMatch(/hid|den/)
  })
})
