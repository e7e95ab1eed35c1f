/** Lists the threats and faults that the tests name by id, and the reason where a row has no test. */

type Section = {
  readonly title: string
  /** By id; the numbering has gaps. Each text says what happens and what the service must do. */
  readonly rows: Readonly<Record<string, string>>
}

export const sections: readonly Section[] = [
  {
    title: "Replay and spellings of a payment",
    rows: {
      "RPL-01": "The same payment is sent twice in a row: the second answer is 409 and issues nothing.",
      "RPL-02":
        "Up to 200 copies of a payment arrive at once: one token is issued and one transaction is sent.",
      "RPL-04": "The service is killed and restarted after a sale: the same payment is still refused.",
      "RPL-05": "Power fails after a sale: the redemption was on disk before the answer left.",
      "RPL-06": "A nonce is signed again after its first payment has expired: it is still refused.",
      "RPL-08":
        "Amounts and times come as hex, padded or fractional numbers: only the canonical decimal string is read.",
      "RPL-09":
        "A signature has v 0 or 1 instead of 27 or 28: it is refused, because USDC refuses it on chain.",
      "RPL-10": "A signature is replaced by its high-s twin: it is refused before a token is issued.",
      "RPL-12":
        "A signature comes in the wrapper of an undeployed wallet (ERC-6492): it is refused and no factory is called.",
      "RPL-13": "Keys are reordered and characters escaped: the redemption key stays the same.",
      "RPL-14": "One authorization arrives as x402 v1, as v2 and in the body: it is redeemed once.",
      "RPL-16": "A stranger copies an authorization from a settled transaction: it buys nothing.",
      "RPL-17":
        "A payment is copied before it reaches the service: it is accepted once, and its secret proves the owner.",
      "RPL-18":
        "One payment is sent to two services with the same `payTo`: the chain pays once, the second service refuses.",
      "RPL-20": "A signature for one chain is presented for another: it is refused.",
      "RPL-21": "A signature for one asset is presented with the address of another: it is refused.",
      "RPL-22": "Two Permit2 permits share a nonce: the second is refused.",
      "RPL-24":
        "A payment for a cheap offer is presented for another one: the terms of the signed offer decide.",
      "RPL-25":
        "A whitelist proof, quote, DPoP proof or secret is used again: each is single-use or bound to a time.",
      "RPL-26":
        "A stranger settles a payment before it comes: its secret gets the purchase, once, until an hour after its end.",
      "RPL-27":
        "A stranger shows a payment from the chain without its secret, or one that moved other money: it buys nothing.",
    },
  },
  {
    title: "Lost answers and retries",
    rows: {
      "IDM-01":
        "An answer is lost after the sale: the same payment with its secret gets the same grant again.",
      "IDM-02": "A client that lost an answer wants to sign again: it sends the same payment instead.",
      "IDM-04": "A retry arrives after the end of the grant: it never prolongs the grant.",
      "IDM-06": "One `Idempotency-Key` comes with another payment: it is refused.",
      "IDM-08": "The outcome of a settlement is unknown and the client asks again: the answer is never 402.",
      "IDM-09": "The service fails before the commit and the client retries: one grant exists afterwards.",
      "IDM-10": "The service crashes after its answer: the restart finds one grant and matching counters.",
      "IDM-12": "A node or helper answers 200 and reports a failure: it counts as a failure.",
    },
  },
  {
    title: "Settlement and chain",
    rows: {
      "SET-01": "A payer without money signs: the payment is refused and leaves no row.",
      "SET-02": "Many payments share one balance: pending payments count against it inside the transaction.",
      "SET-04": "One sum of money moves through many wallets: the total of unsettled value stays bounded.",
      "SET-05":
        "A payer cancels the authorization after the token: the grant ends on the evidence of the cancellation.",
      "SET-06": "A payer withdraws a Permit2 allowance after the token: the grant ends.",
      "SET-08":
        "A wallet contract changes its owner before settlement: contract payers get a token only after settlement.",
      "SET-09": "A payment expires before it could be settled: it is refused.",
      "SET-10": "A payment is valid for years, or from this second on: both ends of its window are limited.",
      "SET-12": "A third party submits the payment first: it counts as paid and is not sent twice.",
      "SET-13": "An asset reports success without a transfer: only the `Transfer` log counts as payment.",
      "SET-14": "A transfer brings less than the price: the payment has failed.",
      "SET-16": "A node takes a transaction and answers with an error: the stored bytes are sent again.",
      "SET-17": "The service crashes between signing and sending: the restart sends the stored bytes.",
      "SET-18": "The service crashes between sending and recording: the stored hash finds the receipt.",
      "SET-20": "Many settlements run at once from one relayer: no nonce is lost or used twice.",
      "SET-21": "A node drops a transaction: the gap in the nonces is found and filled.",
      "SET-22": "Gas prices rise: the fee is raised on the same nonce, and every hash is kept.",
      "SET-24": "Settlement costs more than the price: the payment is refused.",
      "SET-25":
        "A wallet contract burns gas in its signature check: gas is limited for the call and the transaction.",
      "SET-26": "The node does not answer a sale: the answer is 503, never an unpaid pass.",
      "SET-28": "A node lags behind: one stale answer never ends a payment.",
      "SET-29": "A node lies about a receipt or balance: above a value two nodes must agree.",
      "SET-30": "A node answers for another chain: it is refused and logged.",
      "SET-32": "A reorganisation lets a cancellation win: the grant ends.",
      "SET-33": "The clocks of chain and server differ: the block time decides whether a payment is valid.",
      "SET-34": "The signing domain of an asset is wrong: the service does not start.",
      "SET-36": "A payment brings more than the price: it is refused, never kept silently.",
      "SET-37": "A payment of zero, to itself or from the zero address arrives: it is refused.",
      "SET-38": "A payment names its own Permit2 contract: only the constant address is used.",
      "SET-40": "Ten thousand payments wait: the queue is bounded and the earliest deadline goes first.",
      "SET-41": "One payment always fails: its attempts are counted and the others go on.",
      "SET-42": "The clock jumps by an hour: nothing is settled twice.",
      "SET-44": "The disk is full when a hash is stored: nothing is sent without a stored hash.",
      "SET-45": "The books and the chain disagree: reconciliation finds the difference.",
      "SET-47":
        "A reorganisation removes a transfer that a stranger had submitted: the service sends the payment itself.",
      "SET-46":
        "A remote facilitator reports a settlement that the chain does not have: the receipt is checked.",
      "SET-53":
        "One wallet, or one sum of money in many wallets, causes losses to make everybody pay first: those who have paid keep their credit.",
      "SET-52":
        "The asset refuses payments for a moment (a pause, a block list): they are suspended, their grants wait, and all are paid afterwards.",
      "SET-50":
        "A node answers oddly about one payment, in words, code or shape: it decides nothing and stops no other payment.",
      "SET-51":
        "A wallet contract agrees in a simulation and refuses on chain: it gets one try, and the gas of failed tries has a budget.",
    },
  },
  {
    title: "Tokens",
    rows: {
      "TOK-01": "A token has the algorithm `none`: it is refused.",
      "TOK-02": "A token is signed by HMAC with the public key: it is refused.",
      "TOK-04": "A token brings its own key in `jwk`: it is refused.",
      "TOK-05": "A token points to a foreign key set: no connection is made.",
      "TOK-06":
        "A token has a key id that is unknown, missing, huge or an injection: it is refused in constant work.",
      "TOK-08": "A token has no `exp`, or one that is not a whole number: it is refused.",
      "TOK-09": "A token is one second past its end: it is refused exactly after the leeway.",
      "TOK-10": "A token begins or was issued in the future: it is refused.",
      "TOK-12": "Another kind of signed document is shown as an access token: it is refused.",
      "TOK-13": "A token names an unknown critical header: it is refused.",
      "TOK-14": "A stolen token is used from another machine: a bound token is refused without its key.",
      "TOK-16": "A bound token is sent as `Bearer`: it is refused.",
      "TOK-17": "A thousand clients share a token: requests per token are limited.",
      "TOK-18": "A client edits its scope: the signature no longer matches.",
      "TOK-20": "A token is used at another service, route or method: it is refused.",
      "TOK-21": "Settlement fails after the token: every gate refuses the token within five seconds.",
      "TOK-22": "A gate loses the revocation feed: after 15 seconds only tokens of settled payments pass.",
      "TOK-24": "Keys rotate: the previous key is accepted for its time, older ones are refused.",
      "TOK-25": "Tokens with random key ids arrive: keys are fetched at most once in a period.",
      "TOK-26": "A signing key is stolen: one command removes it and its tokens are refused.",
      "TOK-28": "A token has 100 kB of claims: it is refused before it is parsed.",
      "TOK-29": "The header is malformed: it is refused within 50 ms.",
      "TOK-30":
        "An old refresh token is used again: the grant ends, and only the payment with its secret gets the rest again.",
      "TOK-31":
        "Five tabs refresh with one token at the same time: all get the same answer, and the grant lives on.",
      "TOK-32": "Twice the bought number of calls arrives at once: exactly the bought number passes.",
      "TOK-33": "A handler fails with 5xx: the call is not charged.",
      "TOK-34":
        "A grant of one resource is shown to another on the same books: no token is refreshed or repeated.",
    },
  },
  {
    title: "Whitelist",
    rows: {
      "WL-01": "A caller claims a listed address without a signature: it is refused.",
      "WL-02": "Addresses are written in other cases: bytes are compared, wrong checksums are refused.",
      "WL-04": "A caller pretends to be local by headers: they have no effect.",
      "WL-05": "A proof is used again, late or elsewhere: it is refused.",
      "WL-06": "A proof could be a text that is signed elsewhere: its domain and purpose are its own.",
      "WL-08": "A contract at a listed address signs: contracts are not whitelisted.",
      "WL-09": "A caller is removed while its token lives: the token is refused.",
      "WL-10": "A whitelisted token is used for other routes: it has the scope of its entry only.",
      "WL-12": "The list contains something that is not an address: the service does not start.",
      "WL-13": "A caller measures the time of a lookup: listed and unlisted callers look the same.",
      "WL-14": "A caller reads the error texts: they do not show the list.",
    },
  },
  {
    title: "Prices and quotes",
    rows: {
      "QTE-01": "A client signs a lower amount: the service compares with its own price.",
      "QTE-02": "A client sends another recipient, asset or network: it is refused.",
      "QTE-04": "A price changes after it was read: it is honoured until its quote expires.",
      "QTE-05": "A quote is edited: its seal no longer matches.",
      "QTE-06": "A false asset has the name of the true one: only the configured address counts.",
      "QTE-08": "A price of zero is configured: the service does not start.",
      "QTE-09": "A price function throws, hangs or returns nonsense: the sale closes and nothing is free.",
      "QTE-10": "Two offers have the same price: the signed offer decides about the scope.",
      "QTE-12": "A description contains line breaks or quotes: headers stay intact.",
      "QTE-13": "A request has a false `Host`: URLs come from the configuration.",
      "QTE-14": "A discount is used twice at once: it is counted atomically.",
    },
  },
  {
    title: "Parsing",
    rows: {
      "PRS-01": "A header, body or URL is too large: it is refused before the handler.",
      "PRS-02": "A small body unpacks to 50 MB: it is refused.",
      "PRS-04": "JSON has keys such as `__proto__`: it is refused and no prototype changes.",
      "PRS-05": "JSON has the same key twice: it is refused.",
      "PRS-06": "An amount is empty, negative, fractional or in other digits: it is refused.",
      "PRS-08": "An amount is a JSON number: only strings are read.",
      "PRS-09": "A nonce has the wrong length: it is refused and never padded.",
      "PRS-10": "An address is a name or has the wrong length: it is refused.",
      "PRS-12": "Text contains control characters or lone surrogates: it is refused or stored unchanged.",
      "PRS-13": "A body has another media type or charset: it is refused.",
      "PRS-14": "A body is `null`, a list, a number or empty: it is refused.",
      "PRS-16": "A well-formed payment has a nonsense signature: the answer is 400, never 500.",
      "PRS-17": "A payment names an unknown asset: it is refused and nothing hangs.",
      "PRS-18": "A request has more than 2,000 header lines: it is still judged correctly.",
      "PRS-20": "Text is made to slow down regular expressions: each answers within milliseconds.",
    },
  },
  {
    title: "HTTP and routes",
    rows: {
      "HTP-01": "A path is spelt with other cases, slashes or dots: gate and handler agree.",
      "HTP-02": "A path is percent-encoded: gate and handler agree.",
      "HTP-04": "A request has an unusual method or a method override: the handler is not reached.",
      "HTP-05": "A request names a foreign host in its target: no foreign host is called.",
      "HTP-06": "A path climbs out of its prefix: it is normalised once and refused.",
      "HTP-08": "A request has two `Host` or two `Authorization` headers: it is refused.",
      "HTP-09": "A request removes headers by `Connection`: they are set by the service.",
      "HTP-10": "A request brings internal headers: they are replaced.",
      "HTP-12": "The upstream redirects: it is not followed and no key leaves.",
      "HTP-13": "The upstream repeats the request headers in headers of an answer: secrets are removed.",
      "HTP-14": "The upstream answers 402: the client is not asked to pay it.",
      "HTP-16": "A client breaks off a paid stream: it is charged once.",
      "HTP-17": "A request asks for an upgrade to WebSocket: it is refused or gated.",
      "HTP-18": "An upstream URL points into the private network: it is refused.",
      "HTP-20": "A shared cache stores a paid answer: gated answers are not cacheable.",
      "HTP-21": "A shared cache stores a 402: it is not cacheable.",
      "HTP-22": "A path looks like a static file: it is gated or not found.",
      "HTP-24": "A free route shadows a paid one: the start refuses it.",
      "HTP-25": "The gate itself fails: the answer is 503 and the handler is not reached.",
      "HTP-26": "An HTTP/2 front sends malformed pseudo-headers: they are refused.",
      "HTP-28": "Route text or `Host` contains HTML: it is escaped.",
      "HTP-29": "The token endpoint could redirect: it never answers 307 or 308.",
    },
  },
  {
    title: "The admin address",
    rows: {
      "ADM-01":
        "A request shows no token, a wrong one, or one of a buyer: it is refused before anything is read.",
      "ADM-02": "A token of role `read` is used to act: it is refused.",
      "ADM-03":
        "A page of another origin or port asks, with whatever credentials: it can neither read nor act, and no answer has CORS headers.",
      "ADM-04":
        "A page lets its own host name point to this machine (DNS rebinding): it is refused with 421.",
      "ADM-05": "A form posts without a preflight: only JSON bodies are read.",
      "ADM-06":
        "A stolen token is rotated: it is refused within 5 s, and the ledger has the name of the token for each action.",
      "ADM-07": "A token file is readable by others, short or copied: the service does not start.",
      "ADM-08":
        "Wrong tokens flood the admin address: they are refused with 429, and a valid token still works.",
      "ADM-09": "The admin address is put on a public interface without TLS: the configuration is refused.",
      "ADM-10":
        "A note or a name in the ledger begins like a formula: a spreadsheet that opens the export shows it as text.",
      "ADM-11":
        "A reader of the live stream reconnects at any moment, also over a restart: it gets every entry once.",
      "ADM-12": "A token is rotated while its owner reads the live stream: the stream ends within 30 s.",
      "MET-01":
        "Callers make up routes, offers or reasons: the number of series in the metrics stays bounded.",
      "MET-02": "Many scrapes come at once: they share one reading of the books.",
    },
  },
  {
    title: "Load",
    rows: {
      "DOS-01":
        "Two thousand junk payments a second arrive: cheap checks come first and the routes stay fast.",
      "DOS-02": "Valid signatures of empty wallets arrive: chain reads are limited.",
      "DOS-04": "Junk bearer tokens arrive: size and key id are checked before any cryptography.",
      "DOS-05": "Small valid payments fill the queue: it is bounded.",
      "DOS-06": "A long reader holds the database: writers wait for a limited time, then the answer is 503.",
      "DOS-08": "Clients send slowly or hold idle connections: times and connections are limited.",
      "DOS-09": "A million different keys arrive: no map grows without a bound.",
      "DOS-10": "One payer fills its own limit: other payers are not affected.",
      "DOS-12": "A wallet contract is slow to check a signature: gas and time are limited.",
      "DOS-13": "Input is made for patterns or logs to explode: see PRS-20.",
      "DOS-14": "All clients retry after an outage: retries are spread over time.",
    },
  },
  {
    title: "The client",
    rows: {
      "CLI-01": "A server asks for more than the limit: the client refuses before it signs.",
      "CLI-02": "A server answers 402 to each call: budgets and one payment a call bound the loss.",
      "CLI-04": "A request is redirected to another origin: no token or payment goes there.",
      "CLI-05": "A 402 names a foreign token endpoint: it is not paid.",
      "CLI-06": "A redirected origin answers 402: it is not paid.",
      "CLI-08": "A 402 names a foreign signing domain: the client uses its own table.",
      "CLI-09": "A 402 asks for an approval or a Permit2 signature: it is never signed.",
      "CLI-10": "A 402 asks for a payment that is valid for decades: the time is limited.",
      "CLI-12": "A token of one origin could be used at another: tokens are kept by origin and account.",
      "CLI-13": "A token expires during 20 parallel calls: one payment serves them all.",
      "CLI-14": "The answer to a payment is lost: the same payment is sent again.",
      "CLI-16": "A gate answers 401: the client does not pay again without a reason.",
      "CLI-17": "A body is a stream: it is kept or refused before the payment, and never sent twice.",
      "CLI-18": "A 402 is malformed or huge: it is read up to a limit and refused with a typed error.",
      "CLI-20": "An error is printed: it contains no private key.",
      "CLI-21": "Paid content asks the agent to pay again: the client does not act on it.",
      "CLI-22": "A service is reached over plain http: it is not paid, except on this machine.",
    },
  },
  {
    title: "Keys and files",
    rows: {
      "KEY-01": "A key file or database is readable by others: the service does not start.",
      "KEY-02": "A key is passed as an argument: keys come from files.",
      "KEY-04": "A secret is weak or public: the service does not start.",
      "KEY-05": "Keys rotate under load: no request fails.",
      "KEY-06": "The relayer is replaced: the old one finishes its transactions.",
      "KEY-08": "The relayer could be used to sign anything: it calls settlement functions only.",
      "KEY-09":
        "A backup of yesterday is restored: missing payments are read from the chain before sales open.",
      "KEY-10": "A database is on a network file system: the service does not start.",
      "KEY-12": "An id contains SQL: it is a bound parameter.",
      "KEY-13": "The configuration has keys such as `__proto__`: they change nothing.",
      "KEY-14": "A key file is swapped while it is read: it is opened once.",
      "KEY-15":
        "A service starts on the books of another issuer or of other keys: it exits with 78 and names both.",
      "KEY-16":
        "The database or a dump of it is stolen or changed: it holds signing keys only in encrypted form, bound to their ring.",
    },
  },
  {
    title: "Several processes",
    rows: {
      "MI-01": "Four processes get the same payment: one token is issued.",
      "MI-02": "A process loses the database after a sale: the retry gets the same grant.",
      "MI-04": "Two processes could settle with one relayer: a lease lets one of them do it.",
      "MI-05": "A settling process is paused and wakes up: its old lease is refused.",
      "MI-06": "A grant is revoked in one process: the others refuse its tokens within five seconds.",
      "MI-08": "Two releases run together: both understand the database.",
      "MI-09": "The clocks of processes differ: leases use one clock.",
      "MI-10": "Limits are spread over processes: they are counted in the shared store.",
      "MI-11":
        "An instance is killed while calls are counted: no unit is spent twice, and no idle unit is lost.",
    },
  },
]

/** Every id, as tests name it. */
export const rows: readonly string[] = sections.flatMap((section) => Object.keys(section.rows))

/** Finds the ids in the name of a test. */
export const rowPattern = new RegExp(
  `\\b(?:${[...new Set(rows.map((id) => id.slice(0, id.indexOf("-"))))].join("|")})-\\d{2}\\b`,
  "g",
)

const permit2 = "there is no Permit2 yet"

/** Rows without a test, each with what is missing. Delete the line when that is built. */
export const reasons: Readonly<Record<string, string>> = {
  "RPL-22": permit2,
  "SET-06": permit2,
  "SET-38": permit2,
  "SET-46": "there is no remote facilitator yet",
  "MI-08": "nothing is released yet, so no two releases run together",
  "QTE-14": "there are no discounts",
  "HTP-26": "HTTP/2 ends at the proxy in front",
}
