// Package wire reads and writes MQTT 3.1.1 packets on a connection to a broker.
//
// A Conn stands between a client library and the network. It is a net.Conn for the
// library, which connects, subscribes and keeps the connection alive through it. PUBLISH
// and PUBACK do not reach the library: Conn reads, acknowledges and writes them itself. A
// library hands each message from goroutine to goroutine, four times on the way in and
// twice on the way out, and a flow that answers an event would spend most of its time there.
//
//	network ─→ Read ─┬─ PUBLISH ──→ Deliver, then PUBACK with the next write
//	                 ├─ PUBACK ───→ the Receipt of Publish, Acked
//	                 └─ all else ─→ the library, as whole packets, each of them checked
//	network ←─ Write (the library's packets) and Publish, each within the write time-out
//
// The library trusts what comes in: it would allocate whatever length a PUBLISH claims (up
// to 256 MB), index past its own list at a SUBACK with too many codes, and take CONNACK
// codes it does not know for success. So Conn follows the frames and ends the connection at
// one that does not fit.
package wire
