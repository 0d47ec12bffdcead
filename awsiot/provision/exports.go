package provision

import (
	"fmt"
	"path/filepath"
	"strings"

	"pithings/mqttlink/endpoint"
)

// Exports returns the lines for a shell that let the programs which follow be this device:
// PITHINGS_MQTT_… for pithings itself, and the names that scripts for mosquitto's programs use.
// They name files, and hold no secret.
func (d *Device) Exports() string {
	return exports(d.Thing, d.Endpoint, Paths{d.Cert(), d.Key(), d.CA()})
}

// Exports returns the lines of Device.Exports.
func (s *Status) Exports() string { return exports(s.ClientID, s.Endpoint, Paths{s.Cert, s.Key, s.CA}) }

func exports(name, broker string, p Paths) string {
	var b strings.Builder
	line := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "export %s=%s\n", name, Quote(value))
		}
	}
	absolute := func(path string) string {
		if abs, err := filepath.Abs(path); err == nil && path != "" {
			return abs
		}
		return path
	}
	ca := absolute(p.CA)
	line("PITHINGS_MQTT_ENDPOINT", broker)
	line("PITHINGS_MQTT_CLIENT_ID", name)
	line("PITHINGS_MQTT_CA", ca)
	line("PITHINGS_MQTT_CERT", absolute(p.Cert))
	line("PITHINGS_MQTT_KEY", absolute(p.Key))
	if e, err := endpoint.Parse(broker); err == nil {
		line("IOT_ENDPOINT", e.Host)
		line("IOT_PORT", fmt.Sprint(e.Port))
	}
	line("DEVICE_NAME", name)
	line("ROOT_CA", ca)
	line("CERT", absolute(p.Cert))
	line("KEY", absolute(p.Key))
	return b.String()
}
