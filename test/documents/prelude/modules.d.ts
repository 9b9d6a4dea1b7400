// Files of the reader's own that the pages import.
declare module '*/correlator.js' {
  export const correlator: import('mailtrail').Correlator
}

declare module '*/sign-up.js' {
  export const createSignUp: typeof import('../../examples/sign-up/sign-up.js').createSignUp
}

declare module '*/app.module.js' {
  export const AppModule: new () => object
}
