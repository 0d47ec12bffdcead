package awsiot

import (
	"slices"
	"testing"
)

func TestALPN(t *testing.T) {
	for _, tt := range []struct {
		name, broker          string
		certificate, username bool
		want                  []string
	}{
		{"port 443 with certificate", "mqtts://broker.example:443", true, false, []string{"x-amzn-mqtt-ca"}},
		{"port 443 with both", "mqtts://broker.example:443", true, true, []string{"x-amzn-mqtt-ca"}},
		{"port 443 with user name", "ssl://broker.example:443", false, true, []string{"mqtt"}},
		{"port 443 with neither", "mqtts://broker.example:443", false, false, nil},
		{"port 8883", "mqtts://broker.example", true, false, nil},
		{"WebSocket", "wss://broker.example", true, false, nil},
		{"no endpoint", "", true, false, nil},
	} {
		if got := ALPN(tt.broker, tt.certificate, tt.username); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}
