// Package payload writes the payloads of events as MessagePack and reads them,
// with the rules of encoding/json: the same fields under the same names, the
// same methods of types, the same errors. So what a program can put into JSON
// arrives as it would have arrived through JSON.
//
// The differences, all of them:
//
//   - A []byte and a [N]byte travel as bytes, not as Base64 and not as a list of
//     numbers; an any receives them as a []byte. A string cannot be read from
//     bytes. A []byte is read from a string of Base64, as in JSON.
//   - An any receives whole numbers as int64, or uint64 beyond it, and others as
//     float64. In JSON, all are float64.
//   - NaN and infinities of float64 and float32 are carried. Within a type that
//     has UnmarshalJSON they are an error.
//   - Numbers that types write themselves (MarshalJSON, json.Number,
//     json.RawMessage) arrive by value: 1.50 as 1.5. Those with a fraction or an
//     exponent arrive as the nearest float64; those beyond a float64, and whole
//     ones that none of int64, uint64 and float64 has exactly, are refused.
//   - A json.RawMessage arrives with the same value, but is written anew.
//   - A float with a whole value can be read as an integer.
//   - A map's entries have no order.
//   - Values nested more than 500 deep are refused, by both sides.
//   - The first error ends it: nothing of a payload that does not fit is kept.
package payload
