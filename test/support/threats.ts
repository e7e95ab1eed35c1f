/** The rows of the threat and fault catalogue, and why some of them have no test here. */

/** Numbers by section; the catalogue's numbering has gaps. */
const sections = {
  RPL: "01 02 04 05 06 08 09 10 12 13 14 16 17 18 20 21 22 24 25",
  IDM: "01 02 04 06 08 09 10 12",
  SET: "01 02 04 05 06 08 09 10 12 13 14 16 17 18 20 21 22 24 25 26 28 29 30 32 33 34 36 37 38 40 41 42 44 45 46",
  TOK: "01 02 04 05 06 08 09 10 12 13 14 16 17 18 20 21 22 24 25 26 28 29 30 32 33",
  WL: "01 02 04 05 06 08 09 10 12 13 14",
  QTE: "01 02 04 05 06 08 09 10 12 13 14",
  PRS: "01 02 04 05 06 08 09 10 12 13 14 16 17 18 20",
  HTP: "01 02 04 05 06 08 09 10 12 13 14 16 17 18 20 21 22 24 25 26 28 29",
  DOS: "01 02 04 05 06 08 09 10 12 13 14",
  CLI: "01 02 04 05 06 08 09 10 12 13 14 16 17 18 20 21 22",
  KEY: "01 02 04 05 06 08 09 10 12 13 14",
  MI: "01 02 04 05 06 08 09 10",
} as const

/** Every row's id, as tests name it. */
export const rows: readonly string[] = Object.entries(sections).flatMap(([section, numbers]) =>
  numbers.split(" ").map((number) => `${section}-${number}`),
)

/** What an id looks like in the name of a test. */
export const rowPattern = new RegExp(`\\b(?:${Object.keys(sections).join("|")})-\\d{2}\\b`, "g")

const proxyMode = "there is no proxy mode yet"
const permit2 = "there is no Permit2 yet"

/** Rows that touch nothing that exists, with what is missing. Delete the line when that is built. */
export const reasons: Readonly<Record<string, string>> = {
  "RPL-22": permit2,
  "SET-06": permit2,
  "SET-38": permit2,
  "SET-46": "there is no remote facilitator yet",
  "MI-08": "nothing is released yet, so no two releases run together",
  "QTE-14": "there are no discounts",
  "HTP-06": proxyMode,
  "HTP-09": proxyMode,
  "HTP-10": proxyMode,
  "HTP-12": proxyMode,
  "HTP-13": proxyMode,
  "HTP-14": proxyMode,
  "HTP-16": proxyMode,
  "HTP-18": proxyMode,
  "HTP-24": "the gate sits on its route, and there is no proxy mode yet",
  "HTP-26": "HTTP/2 ends at the proxy in front",
}
