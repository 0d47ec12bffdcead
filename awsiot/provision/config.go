package provision

import (
	"bytes"
	"fmt"
	"strings"
)

// Settings are the keys of a configuration's mqtt section by which an agent connects as this device,
// with the values that they have if nothing else gives them.
func (d *Device) Settings() map[string]string {
	all := map[string]string{"client_id": d.Thing, "cert": d.Cert(), "key": d.Key()}
	if d.Endpoint != "" {
		all["endpoint"] = d.Endpoint
	}
	if ca := d.CA(); ca != "" {
		all["ca"] = ca
	}
	return all
}

// Config is the configuration of a device: its connection, and a note. host adds the computer itself as
// a thing of the device's name.
func Config(name, endpoint string, p Paths, note string, host bool) []byte {
	var b bytes.Buffer
	fmt.Fprintf(&b, "# The connection of %s.\n", name)
	for line := range strings.Lines(note) {
		fmt.Fprintf(&b, "# %s\n", strings.TrimSpace(line))
	}
	fmt.Fprintf(&b, "mqtt:\n  endpoint: %q\n  client_id: %q\n", endpoint, name)
	if p.CA != "" {
		fmt.Fprintf(&b, "  ca: %q\n", p.CA)
	}
	fmt.Fprintf(&b, "  cert: %q\n  key: %q\n", p.Cert, p.Key)
	if host {
		fmt.Fprintf(&b, "things:\n  - {name: %q, type: host}\n", name)
	}
	return b.Bytes()
}
