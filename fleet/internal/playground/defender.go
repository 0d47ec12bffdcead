package playground

import (
	"fmt"
	"time"

	"pithings/fleet/internal/engine"
)

// report publishes a Defender report: the device's own messages since the last one, and its one
// connection. It listens on no port.
func (d *Device) report(out engine.Out, now time.Time) {
	in, sent := d.in, d.out
	d.in, d.out = traffic{}, traffic{}
	d.send(out, d.topic("$aws/things/", "/defender/metrics/json"), fmt.Appendf(nil,
		`{"header":{"report_id":%d,"version":"1.0"},"metrics":{"listening_tcp_ports":{"ports":[],"total":0},"listening_udp_ports":{"ports":[],"total":0},`+
			`"network_stats":{"bytes_in":%d,"bytes_out":%d,"packets_in":%d,"packets_out":%d},`+
			`"tcp_connections":{"established_connections":{"connections":[{"remote_addr":"%s"}],"total":1}}}}`,
		now.Unix(), in.bytes, sent.bytes, in.packets, sent.packets, d.set.Broker), 0)
}
