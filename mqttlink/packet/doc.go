// Package packet writes and reads MQTT 3.1.1 packets as bytes: no connection, no time, no
// goroutine. The fleet connects thousands of devices with it. Package wire, which has one
// connection of a Pi, takes from it how a PUBLISH is written and read and a PUBACK is written: its
// login is paho's, and it reads headers from a connection as their bytes come.
//
//	b = packet.AppendPublish(b, &packet.Message{Topic: "lamp/state", Payload: on, QoS: 1}, id)
//
//	first, n, size, err := packet.Header(b)    // size 0: its header has not come in full
//	m, err := packet.ParsePublish(first, b[size:size+n])
//
// What is read comes from a broker and is not trusted: every length is checked against the
// bytes that are there. Values to be written are the caller's, who keeps MQTT's limits.
package packet
