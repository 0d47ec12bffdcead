package defender

import (
	"cmp"
	"encoding/json"
	"math"
	"strconv"

	"pithings/awsiot/internal/cbor"
	"pithings/device"
)

// maxEntries bounds each list of a report. total has the whole number.
const maxEntries = 50

// Value is a value of a thing for a custom metric.
type Value struct {
	Metric   string
	Number   float64
	Quantity device.Quantity
}

// report is what is reported at one moment.
type report struct {
	id      int64
	network network
	traffic counters // since the last report
	custom  []Value
}

// shortNames are AWS's short names for the long ones.
var shortNames = map[string]string{
	"header": "hed", "report_id": "rid", "version": "v", "metrics": "met", "custom_metrics": "cmet",
	"listening_tcp_ports": "tp", "listening_udp_ports": "up", "ports": "pts", "port": "pt", "interface": "if", "total": "t",
	"network_stats": "ns", "bytes_in": "bi", "bytes_out": "bo", "packets_in": "pi", "packets_out": "po",
	"tcp_connections": "tc", "established_connections": "ec", "connections": "cs", "local_interface": "li", "local_port": "lp", "remote_addr": "rad",
}

// encode writes a report.
func (r *report) encode(format, names string) ([]byte, error) {
	v := r.values()
	if names == Short {
		v = shortened(v).(map[string]any)
	}
	if format == CBOR {
		return cbor.Encode(v)
	}
	return json.Marshal(v)
}

func number[N int | int64 | uint16](n N) json.Number {
	return json.Number(strconv.FormatInt(int64(n), 10))
}

// counter is a sum as AWS takes it: not below 0, and no more than a signed number holds.
func counter(n uint64) json.Number {
	return json.Number(strconv.FormatUint(min(n, math.MaxInt64), 10))
}

// values is the report with its long names.
func (r *report) values() map[string]any {
	v := map[string]any{
		"header": map[string]any{"report_id": number(r.id), "version": "1.0"},
		"metrics": map[string]any{
			"listening_tcp_ports": portsOf(r.network.tcp),
			"listening_udp_ports": portsOf(r.network.udp),
			"network_stats": map[string]any{"bytes_in": counter(r.traffic.bytesIn), "bytes_out": counter(r.traffic.bytesOut),
				"packets_in": counter(r.traffic.packetsIn), "packets_out": counter(r.traffic.packetsOut)},
			"tcp_connections": map[string]any{"established_connections": connectionsOf(r.network.connections)},
		},
	}
	custom := map[string]any{}
	for _, c := range r.custom {
		if c.Quantity.Plausible(c.Number) && !math.IsInf(c.Number, 0) {
			text := strconv.FormatFloat(c.Number, 'f', c.Quantity.Precision, 64)
			custom[c.Metric] = []any{map[string]any{"number": json.Number(text)}}
		}
	}
	if len(custom) > 0 {
		v["custom_metrics"] = custom
	}
	return v
}

func portsOf(ports []port) map[string]any {
	list := []any{}
	for _, p := range ports[:min(len(ports), maxEntries)] {
		one := map[string]any{"port": number(p.port)}
		if p.iface != "" {
			one["interface"] = p.iface
		}
		list = append(list, one)
	}
	return map[string]any{"ports": list, "total": number(len(ports))}
}

func connectionsOf(connections []connection) map[string]any {
	list := []any{}
	for _, c := range connections[:min(len(connections), maxEntries)] {
		one := map[string]any{"local_port": number(c.port), "remote_addr": c.remote.String()}
		if c.iface != "" {
			one["local_interface"] = c.iface
		}
		list = append(list, one)
	}
	return map[string]any{"connections": list, "total": number(len(connections))}
}

// shortened is a value with short names. The names of custom metrics are the user's.
func shortened(v any) any {
	switch v := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, inner := range v {
			if key != "custom_metrics" {
				inner = shortened(inner)
			}
			out[cmp.Or(shortNames[key], key)] = inner
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = shortened(v[i])
		}
		return out
	}
	return v
}
