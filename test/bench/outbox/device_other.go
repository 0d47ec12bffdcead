//go:build !linux

package outbox

// Device has no counter here.
type Device struct{}

// DeviceOf returns a device whose counter stays 0.
func DeviceOf(string) *Device { return &Device{} }

// Written returns 0.
func (d *Device) Written() int64 { return 0 }
