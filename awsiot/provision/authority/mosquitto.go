package authority

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"pithings/mqttlink/durable"
)

// The files for mosquitto.
const (
	MosquittoConf = "mosquitto.conf"
	ACL           = "acl"
)

// Mosquitto writes the configuration and the access list of a mosquitto 2.0, unless they are there:
// an administrator may have changed them. It returns the names of those that it has written.
func (a *Authority) Mosquitto() (made []string, err error) {
	dir := a.BrokerDir
	if dir == "" {
		if dir, err = filepath.Abs(a.Dir); err != nil {
			return nil, err
		}
	}
	conf := strings.ReplaceAll(mosquittoConf, "DIR/", strings.TrimSuffix(filepath.ToSlash(dir), "/")+"/")
	for _, one := range []struct{ name, text string }{{ACL, acl}, {MosquittoConf, conf}} {
		if _, err := os.Lstat(a.path(one.name)); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := durable.Replace(a.path(one.name), []byte(one.text)); err != nil {
			return made, err
		}
		made = append(made, one.name)
	}
	return made, nil
}

// mosquittoConf is that of deploy/mosquitto, with other paths.
const mosquittoConf = `# A mosquitto 2.0 for devices that do not trust each other, made by pithings provision local.
# Run it with: mosquitto -c mosquitto.conf, or copy it to /etc/mosquitto/conf.d.

# Only encrypted, and only clients with a certificate of our authority. The common name of
# the certificate is the user name for the access list, and the client id.
per_listener_settings false
listener 8883
cafile   DIR/ca.pem
certfile DIR/server.pem
keyfile  DIR/server.key
tls_version tlsv1.2
require_certificate true
use_identity_as_username true
use_username_as_clientid true
allow_anonymous false
acl_file DIR/acl
# Certificates of lost devices, by: openssl ca -gencrl. Without the file nothing is revoked.
#crlfile DIR/crl.pem

# What one client can cost. A message of pithings has at most 1 MiB; usual are 200 bytes.
max_connections 500
max_packet_size 1048576
max_inflight_messages 20
max_queued_messages 1000
max_queued_bytes 16777216
max_keepalive 300

# What is kept for a client that is away, and for how long after it was last seen.
persistent_client_expiration 14d
# Written every minute and at each end, if persistence is on.
autosave_interval 60
`

// acl lets a device into its own topics.
const acl = `# Who may publish and read what, made by pithings provision local. %u is the common name of
# the client's certificate. What is not listed is refused. After a change: reload mosquitto.

# Each device has the topics below its own name: its presence, and things of that name.
pattern readwrite %u/#
# Commands to it and its answers, what it says of itself, and its data (AWS IoT Playground).
pattern readwrite cmd/%u/#
pattern readwrite cmd/ac/%u/#
pattern write dt/ac/+/+/%u/#
# Its own shadow, jobs and metrics, with pithings cloud.
pattern readwrite $aws/things/%u/#

# The service of shadows and jobs has the name cloud: make its certificate with --name cloud.
#user cloud
#topic readwrite $aws/#
#topic read +/status

# A device with several things has the topics of each: one line for each thing.
#user hall
#topic readwrite TG_MS/#
#topic readwrite TG_Camera/#
#topic readwrite TG_Screen/#

# Who only looks.
#user monitor
#topic read #
`
