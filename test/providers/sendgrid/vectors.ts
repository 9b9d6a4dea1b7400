/** A signed request that was captured from SendGrid: the tests of its SDKs have them. */
export interface SignatureVector {
  title: string
  publicKey: string
  signature: string
  timestamp: string
  /** The raw body in base64. */
  body: string
  bodyDigest: string
  signedDigest: string
}

// sendgrid-nodejs: packages/eventwebhook/src/eventwebhook.spec.js
export const vectors: readonly SignatureVector[] = [
  {
    title: 'one event',
    publicKey:
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE83T4O/n84iotIvIW4mdBgQ/7dAfSmpqIM8kF9mN1flpVKS3GRqe62gw+2fNNRaINXvVpiglSI8eNEc6wEA3F+g==',
    signature:
      'MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM+uOe5W0JuG+luQAbPIqHh89M15TluLtEZtM=',
    timestamp: '1600112502',
    body: 'W3siZW1haWwiOiJoZWxsb0B3b3JsZC5jb20iLCJldmVudCI6ImRyb3BwZWQiLCJyZWFzb24iOiJCb3VuY2VkIEFkZHJlc3MiLCJzZ19ldmVudF9pZCI6IlpISnZjQzB4TURrNU5Ea3hPUzFNVW5wWWJGOU9TRk4wVDBkb1VUUnJiMlpUYlY5QkxUQSIsInNnX21lc3NhZ2VfaWQiOiJMUnpYbF9OSFN0T0doUTRrb2ZTbV9BLmZpbHRlcmRyZWN2LXAzbWR3MS03NTZiNzQ1YjU4LWttemJsLTE4LTVGNUZDNzZDLTkuMCIsInNtdHAtaWQiOiI8TFJ6WGxfTkhTdE9HaFE0a29mU21fQUBpc210cGQwMDM5cDFpYWQxLnNlbmRncmlkLm5ldD4iLCJ0aW1lc3RhbXAiOjE2MDAxMTI0OTJ9XQ0K',
    bodyDigest: 'ef3e4606385ea6adbc55fceb6117cf2784040cf145a010e5ef4afc2bc7c70452',
    signedDigest: 'd42fd42f9a2ff2ac684950bcd351d3cd6e0f60d4e944637cf97c2226bc224548',
  },
  {
    title: 'two events',
    publicKey:
      'MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEQ4LIFtWztlsF7skFqOncjD1lun4H5w8XOhyOArHW9RcIx/FfEzx6cikC/yPfUvwaX/JScE7Fc9CJD2afQ9Ok3Q==',
    signature:
      'MEYCIQC/I4o6vCgqRYrTljjoVWB/GRWNtxeePlLMHr3x9ETeRQIhAIpV+03nREPTTHWSW0wIOA0EoMPdcNgXa70yCaqDJlu5',
    timestamp: '1619651159',
    body: 'W3siZW1haWwiOiJpbnZhbGlkQGdtYWlsLmNvbSIsImV2ZW50IjoicHJvY2Vzc2VkIiwic2VuZF9hdCI6MCwic2dfZXZlbnRfaWQiOiJjSEp2WTJWemMyVmtMVEU1T1RReU1URXlMWEZPZDBKTVoxQlJVV3BYTmtSS2RrdFJkMU5CWW5jdE1BIiwic2dfbWVzc2FnZV9pZCI6InFOd0JMZ1BRUWpXNkRKdktRd1NBYncuZmlsdGVyZHJlY3YtY2FuYXJ5LTU0N2I2NDY1NWItY3c2engtMS02MDg5RUE0QS01Ni4wIiwic210cC1pZCI6IjxxTndCTGdQUVFqVzZESnZLUXdTQWJ3QGlzbXRwZDAxNzhwMW1kdzEuc2VuZGdyaWQubmV0PiIsInRpbWVzdGFtcCI6MTYxOTY1MTE0Nn0sDQp7ImVtYWlsIjoiaW52YWxpZEBnbWFpbC5jb20iLCJldmVudCI6ImJvdW5jZSIsImlwIjoiMTY3Ljg5LjEwMS43NiIsInJlYXNvbiI6IjU1MiA1LjIuMiBUaGUgZW1haWwgYWNjb3VudCB0aGF0IHlvdSB0cmllZCB0byByZWFjaCBpcyBvdmVyIHF1b3RhIGFuZCBpbmFjdGl2ZS4gUGxlYXNlIGRpcmVjdCB0aGUgcmVjaXBpZW50IHRvIGh0dHBzOi8vc3VwcG9ydC5nb29nbGUuY29tL21haWwvP3A9T3ZlclF1b3RhUGVybSBjMTdzaTExMzA0NjhwZ3YuMzQgLSBnc210cCIsInNnX2V2ZW50X2lkIjoiWW05MWJtTmxMVEF0TVRrNU5ESXhNVEl0Y1U1M1FreG5VRkZSYWxjMlJFcDJTMUYzVTBGaWR5MHciLCJzZ19tZXNzYWdlX2lkIjoicU53QkxnUFFRalc2REp2S1F3U0Fidy5maWx0ZXJkcmVjdi1jYW5hcnktNTQ3YjY0NjU1Yi1jdzZ6eC0xLTYwODlFQTRBLTU2LjAiLCJzbXRwLWlkIjoiPHFOd0JMZ1BRUWpXNkRKdktRd1NBYndAaXNtdHBkMDE3OHAxbWR3MS5zZW5kZ3JpZC5uZXQ+Iiwic3RhdHVzIjoiNS4yLjIiLCJ0aW1lc3RhbXAiOjE2MTk2NTExNDcsInRscyI6MSwidHlwZSI6ImJsb2NrZWQifV0NCg==',
    bodyDigest: 'fb73c7e6c15dd29e59ec6669322fab6b0e022d1e73cc60172807bca38e337822',
    signedDigest: '185dd0a22d24daa09cf561035c77e11271bf2be08f58e213371270038e328496',
  },
]
