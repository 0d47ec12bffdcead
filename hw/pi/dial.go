package pi

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"

	"pithings/hw"
)

// dial implements Dial of [hw.Board].
func dial(ctx context.Context, address string) (net.Conn, error) {
	c, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	var unknown *net.DNSError
	switch {
	case err == nil:
		return c, nil
	case errors.As(err, &unknown) && unknown.IsNotFound:
		return nil, fmt.Errorf("%s: %w: %w; write the device's IP address", address, hw.ErrNotFound, err)
	case errors.Is(err, syscall.ECONNREFUSED):
		return nil, fmt.Errorf("%s: %w: it refuses connections; switch Modbus TCP on in the device, and check the port", address, hw.ErrNotFound)
	}
	return nil, fmt.Errorf("%s: %w", address, err)
}
