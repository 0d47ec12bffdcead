package provision

import (
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"pithings/mqttlink/certs"
	"pithings/mqttlink/durable"
)

// The files of an identity.
const (
	KeyFile   = "device.key"
	CertFile  = "device.crt"
	CAFile    = "ca.pem"        // of the broker's authority; missing: the system's are trusted
	AboutFile = "identity.json" // an About
)

// The places in a state folder.
const (
	Folder  = "identity"      // the agent's identity
	Pending = "identity.new"  // one that is being made
	Lock    = "identity.lock" // held by who makes it
)

// maxAbout is the largest identity.json that is read, in bytes.
const maxAbout = 64 << 10

// ErrNone is the error for a folder without an identity.
var ErrNone = errors.New("there is no identity")

// About is what identity.json says.
type About struct {
	// Thing is the name at the broker: thing name, client id, and the common name of a certificate
	// that package authority made.
	Thing string `json:"thing"`
	// Endpoint is the broker's URL, if it is known.
	Endpoint string `json:"endpoint,omitempty"`
	// CertificateID is AWS's name for the certificate.
	CertificateID string `json:"certificateId,omitempty"`
	// Template is the provisioning template, Source what else it was made by.
	Template string `json:"template,omitempty"`
	Source   string `json:"source,omitempty"`
	// Configuration is what the template, or the document, says of the device.
	Configuration json.RawMessage `json:"deviceConfiguration,omitempty"`
	Made          time.Time       `json:"made,omitzero"`
}

// Device is an identity on the disk.
type Device struct {
	Dir string
	About
	Pair tls.Certificate // the chain, and its private key
}

// Key is the path of the private key.
func (d *Device) Key() string { return filepath.Join(d.Dir, KeyFile) }

// Cert is the path of the certificate.
func (d *Device) Cert() string { return filepath.Join(d.Dir, CertFile) }

// CA is the path of the broker's authority; "" if it is one of the system's.
func (d *Device) CA() string {
	path := filepath.Join(d.Dir, CAFile)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return ""
	}
	return path
}

// Path is where the identity of a state folder is.
func Path(state string) string { return filepath.Join(state, Folder) }

// Identity returns the identity in a state folder. The error wraps ErrNone if there is none.
func Identity(state string) (*Device, error) { return Read(Path(state)) }

// Read returns the identity in a folder of its own. Its key fits its certificate, and no other
// user can read it. The error wraps ErrNone if there is none.
func Read(dir string) (*Device, error) {
	d := &Device{Dir: dir}
	text, err := durable.ReadFile(filepath.Join(dir, AboutFile), maxAbout)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR):
		return nil, fmt.Errorf("%w in %s", ErrNone, dir)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("identity: %w; it belongs to another user: use sudo", err)
	case err != nil:
		return nil, fmt.Errorf("identity: %w", err)
	}
	if err := json.Unmarshal(text, &d.About); err != nil {
		return nil, fmt.Errorf("identity: %s is damaged (%w); move %s away and provision again", filepath.Join(dir, AboutFile), err, dir)
	}
	if err := CheckName(d.Thing); err != nil {
		return nil, fmt.Errorf("identity: %s: %w", filepath.Join(dir, AboutFile), err)
	}
	if err := CheckMode(d.Key()); err != nil {
		return nil, err
	}
	if d.Pair, err = certs.ReadPair(d.Cert(), d.Key()); err != nil {
		return nil, fmt.Errorf("identity: %w", err)
	}
	return d, nil
}

// maxName bounds thing names and client ids of AWS IoT, in bytes.
const maxName = 128

// CheckName says why a name can be none of a device, or returns nil. These are the characters of
// thing names at AWS IoT, and the dot; none has a meaning in topics, in mosquitto's access lists, or
// in a shell.
func CheckName(name string) error {
	const fix = "use letters, digits, -, _, . and : only"
	switch {
	case name == "":
		return errors.New("the device has no name: " + fix)
	case len(name) > maxName:
		return fmt.Errorf("the device's name has %d bytes, and at most %d are possible", len(name), maxName)
	case name[0] == '.' || name[0] == '-':
		return fmt.Errorf("the device's name %q begins with %q: begin with a letter or a digit", name, name[:1])
	}
	for _, c := range []byte(name) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' || c == '_' || c == '.' || c == ':') {
			return fmt.Errorf("the device's name %q: %s", name, fix)
		}
	}
	return nil
}
