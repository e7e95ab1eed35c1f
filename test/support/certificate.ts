/** Makes certificates that sign themselves, with openssl. */
import { execFileSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join } from "node:path"

export type Certificate = { readonly cert: string; readonly key: string; readonly certFile: string }

/** For one host alone, such as `IP:127.0.0.1`. The folder then holds `NAME.pem` and `NAME.key`. */
export function makeCertificate(folder: string, name: string, host: string): Certificate {
  const [certFile, keyFile] = [join(folder, `${name}.pem`), join(folder, `${name}.key`)]
  const kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
  const subject = ["-subj", "/CN=test", "-addext", `subjectAltName=${host}`]
  execFileSync("openssl", ["req", "-x509", ...kind, ...subject, "-keyout", keyFile, "-out", certFile], {
    stdio: "pipe",
  })
  return { cert: readFileSync(certFile, "utf8"), key: readFileSync(keyFile, "utf8"), certFile }
}
