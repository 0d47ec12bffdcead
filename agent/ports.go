package agent

import (
	"fmt"
	"net"
	"strconv"

	"pithings/mqttlink/broker"
)

// portsTried is how many ports are tried when the next free one will do.
const portsTried = 20

// firstFree opens addr, or if that is taken, the first of the ports behind it
// that is free; ports counts addr too.
func firstFree[T any](addr string, ports int, open func(addr string) (T, error)) (T, error) {
	var none T
	host, service, err := net.SplitHostPort(addr)
	if err != nil {
		return none, fmt.Errorf("address %q: write HOST:PORT, for example 127.0.0.1:8080", addr)
	}
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return none, fmt.Errorf("address %q: the port must be a number from 0 to 65535", addr)
	}
	for i := 1; ; i, port = i+1, port+1 {
		v, err := open(net.JoinHostPort(host, strconv.FormatUint(port, 10)))
		if err == nil || i >= ports || port == 65535 || !broker.Taken(err) {
			return v, err
		}
	}
}
