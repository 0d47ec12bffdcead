//go:build !linux

package mqttlink

// unsent implements gauge; nothing tells here.
func (socket) unsent() (n int, ok bool) { return 0, false }
