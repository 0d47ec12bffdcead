package supervisor

import (
	"cmp"
	"encoding/json"
	"fmt"

	"pithings/conf"
)

// cloud is a connection of Device Supervisor, as far as it is shown.
type cloud struct {
	Name  string `json:"name"`
	Type  string `json:"type"`
	Rules []any  `json:"uploadRules"`
	Args  struct {
		Host      string          `json:"host"`
		Endpoint  string          `json:"endPoint"`
		Port      json.RawMessage `json:"port"`
		TLS       json.RawMessage `json:"tls"`
		ClientID  string          `json:"clientId"`
		User      string          `json:"username"`
		Keepalive json.RawMessage `json:"keepalive"`
	} `json:"args"`
}

// clouds shows the connections that were, and how to set ours.
func (im *importer) clouds(list []item) {
	for _, it := range list {
		var c cloud
		if err := json.Unmarshal(marshal(it.object), &c); err != nil {
			im.note(it.at, "it is kept for an export, and not shown: %v", err)
			continue
		}
		if len(c.Rules) > 0 {
			im.note(it.at.key("uploadRules"), "they are kept for an export, and not used here: write publish rules")
		}
		a := &c.Args
		server := cmp.Or(a.Host, a.Endpoint)
		if server == "" {
			continue
		}
		scheme, port := "mqtt", cmp.Or(plain(a.Port), "1883")
		if tls := plain(a.TLS); tls != "" && tls != "0" || a.Endpoint != "" {
			scheme, port = "mqtts", cmp.Or(plain(a.Port), "8883")
		}
		hint := "endpoint: " + conf.Scalar(fmt.Sprintf("%s://%s:%s", scheme, server, port))
		for _, k := range []struct{ key, value string }{{"client_id", a.ClientID}, {"username", a.User}} {
			if k.value != "" {
				hint += fmt.Sprintf(", %s: %s", k.key, conf.Scalar(k.value))
			}
		}
		if n := plain(a.Keepalive); n != "" && n != "0" {
			hint += fmt.Sprintf(", keepalive: %ss", n)
		}
		state := ""
		if disabled(it.object) {
			state = ", which is disabled"
		}
		im.note(it.at, "cloud %s (%s)%s: for its connection set mqtt: {%s}, and its password, key and certificates from your own files", c.Name, c.Type, state, hint)
	}
}
