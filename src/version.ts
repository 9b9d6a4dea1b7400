/** The version of this package, as transports tell Nodemailer; a test compares package.json. */
export const version = '0.1.0'
