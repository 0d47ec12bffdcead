package awsiot

import (
	"pithings/mqttlink"
	"pithings/mqttlink/endpoint"
)

// ALPN returns the protocol names by which AWS IoT Core takes MQTT on port 443: one with a
// client certificate, one with a custom authoriser's user name. For any other endpoint it
// returns nil; whether the broker is at AWS a domain of one's own does not show.
func ALPN(broker string, certificate, username bool) []string {
	e, err := endpoint.Parse(broker)
	switch {
	case err != nil, e.Scheme != "mqtts", e.Port != 443:
		return nil
	case certificate:
		return []string{"x-amzn-mqtt-ca"}
	case username:
		return []string{"mqtt"}
	}
	return nil
}

// Hints returns what AWS IoT Core may mean when it gives no reason.
func Hints() mqttlink.Hints {
	return mqttlink.Hints{
		Login:    " (at " + Name + ": the custom authoriser)",
		NoAnswer: "on " + Name + " the certificate is not active or its policy does not allow iot:Connect",
	}
}
