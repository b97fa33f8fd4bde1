// Calls the greeter once and prints the status of the call: node client.mjs '{"target": "127.0.0.1:8000"}'
import { readFileSync } from "node:fs";
import * as grpc from "@grpc/grpc-js";

const asked = { metadata: {}, bytes: 3, timeout: 20, method: "SayHello", ...JSON.parse(process.argv[2]) };

/** A HelloRequest: field 1 is a string, whose length is a varint. */
function request(bytes) {
  const varint = [];
  let rest = bytes;
  for (; rest > 127; rest >>>= 7) varint.push((rest & 127) | 128);
  return Buffer.concat([Buffer.from([10, ...varint, rest]), Buffer.alloc(bytes, "x")]);
}

const credentials = asked.tls
  ? grpc.credentials.createSsl(asked.authority ? readFileSync(asked.authority) : null)
  : grpc.credentials.createInsecure();
const options = {};
if (asked.override) options["grpc.ssl_target_name_override"] = asked.override;
if (asked.keepalive) options["grpc.keepalive_time_ms"] = asked.keepalive * 1000;
const client = new grpc.Client(asked.target, credentials, options);
const metadata = new grpc.Metadata();
for (const [key, value] of Object.entries(asked.metadata)) metadata.set(key, value);
const deadline = Date.now() + asked.timeout * 1000;
const bytes = (value) => value;
client.makeUnaryRequest(`/helloworld.Greeter/${asked.method}`, bytes, bytes, request(asked.bytes), metadata, { deadline }, (error) => {
  console.log(error ? `${grpc.status[error.code]} ${error.details}` : "OK");
  client.close();
});
