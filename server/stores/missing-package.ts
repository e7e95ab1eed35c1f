/** The package of a database driver is not installed, or without its native part; it is an optional peer. */
export class MissingPackage extends Error {
  constructor(message: string) {
    super(message)
    this.name = "MissingPackage"
  }
}
