// Package document takes a device's identity from one document of JSON with the PEM texts in it, as
// the device factory of the AWS IoT Playground makes them:
//
//	{"iot_endpoint": "xxx-ats.iot.us-east-2.amazonaws.com", "device_name": "dev-QAUE",
//	 "cert": "-----BEGIN CERTIFICATE-----…", "root_ca": "…", "key": "-----BEGIN RSA PRIVATE KEY-----…",
//	 "device-type": "generic", "controlled-device": ""}
//
// Keys may be written with _ or -. No error holds a value that could be a secret.
package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pithings/awsiot/provision"
	"pithings/mqttlink/endpoint"
	"pithings/quietlog"
)

// MaxSize is the largest document that is read, in bytes: three PEM texts take 6 KiB.
const MaxSize = 256 << 10

// Types are what device-type may be; the first is the default. The last two are those of pithings fleet.
var Types = []string{"generic", "bulb", "switch", "rogue", "controlled", "telemetry"}

// Document is one that has been read.
type Document struct {
	Endpoint   string // a URL
	Name       string
	Cert, Key  string
	CA         string // "" if there is none
	Type       string
	Controlled string // the device that a switch switches; "" if there is none
}

// Parse reads a document. Keys that it does not know are passed over.
func Parse(data []byte) (*Document, error) {
	if len(data) > MaxSize {
		return nil, fmt.Errorf("the document has %d bytes, and at most %d are read", len(data), MaxSize)
	}
	values, err := members(bytes.TrimPrefix(data, []byte("\xef\xbb\xbf")))
	if err != nil {
		return nil, err
	}
	d := &Document{
		Name: values["device_name"], Cert: plain(values["cert"]), Key: plain(values["key"]), CA: plain(values["root_ca"]),
		Type: values["device_type"], Controlled: values["controlled_device"],
	}
	for _, key := range []string{"iot_endpoint", "device_name", "cert", "key"} {
		if values[key] == "" {
			return nil, fmt.Errorf("the document has no %s, or an empty one: give the whole document", key)
		}
	}
	if d.Endpoint, err = broker(values["iot_endpoint"]); err != nil {
		return nil, err
	}
	if err := provision.CheckName(d.Name); err != nil {
		return nil, fmt.Errorf("device_name: %w", err)
	}
	if d.Type == "" {
		d.Type = Types[0]
	}
	if !slices.Contains(Types, d.Type) {
		return nil, fmt.Errorf("device-type %q: write one of %s", quietlog.Short(d.Type), strings.Join(Types, ", "))
	}
	if d.Controlled != "" {
		if err := provision.CheckName(d.Controlled); err != nil {
			return nil, fmt.Errorf("controlled-device: %w", err)
		}
	}
	return d, nil
}

// known are the keys that are read.
var known = []string{"iot_endpoint", "device_name", "cert", "key", "root_ca", "device_type", "controlled_device"}

// members returns the known keys of an object, in the form with _, with their texts.
func members(data []byte) (map[string]string, error) {
	noJSON := errors.New("the document is no JSON object: give the file that describes the device (iot_endpoint, device_name, cert, key, …)")
	decoder := json.NewDecoder(bytes.NewReader(data))
	if t, err := decoder.Token(); err != nil || t != json.Delim('{') {
		return nil, noJSON
	}
	values, seen := map[string]string{}, map[string]bool{}
	for decoder.More() {
		t, err := decoder.Token()
		name, ok := t.(string)
		if err != nil || !ok {
			return nil, noJSON
		}
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			return nil, noJSON
		}
		key := strings.ReplaceAll(strings.ToLower(name), "-", "_")
		if !slices.Contains(known, key) {
			continue
		}
		if seen[key] {
			return nil, fmt.Errorf("the document has %s twice: which one counts?", key)
		}
		seen[key] = true
		var text *string
		if json.Unmarshal(raw, &text) != nil {
			return nil, fmt.Errorf("%s is no text: write it in quotes", key)
		}
		if text != nil {
			values[key] = strings.TrimSpace(*text)
		}
	}
	if _, err := decoder.Token(); err != nil {
		return nil, noJSON
	}
	if decoder.More() {
		return nil, errors.New("the document has more behind its object: give one document")
	}
	return values, nil
}

// plain makes a PEM text of one whose line breaks were escaped twice.
func plain(text string) string {
	if text == "" {
		return ""
	}
	if !strings.Contains(text, "\n") {
		text = strings.NewReplacer(`\r\n`, "\n", `\n`, "\n").Replace(text)
	}
	return text + "\n"
}

// broker makes a URL of a host.
func broker(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "mqtts://" + text
	}
	e, err := endpoint.Parse(text)
	if err != nil {
		return "", fmt.Errorf("iot_endpoint: %w", err)
	}
	if !e.TLS() {
		return "", fmt.Errorf("iot_endpoint %s is not encrypted, and a certificate needs that: write mqtts://HOST", e)
	}
	return e.String(), nil
}

// Files is the identity as its files.
func (d *Document) Files() (provision.Files, error) {
	about := map[string]string{"device-type": d.Type}
	note := "device-type: " + d.Type
	if d.Controlled != "" {
		about["controlled-device"] = d.Controlled
		note += "\ncontrolled-device: " + d.Controlled
	}
	configuration, err := json.Marshal(about)
	if err != nil {
		return provision.Files{}, err
	}
	f := provision.Files{
		Key: []byte(d.Key), Cert: []byte(d.Cert),
		About: provision.About{Thing: d.Name, Endpoint: d.Endpoint, Source: "pithings provision document", Configuration: configuration},
	}
	paths := provision.Paths{Cert: provision.CertFile, Key: provision.KeyFile}
	if d.CA != "" {
		f.CA, paths.CA = []byte(d.CA), provision.CAFile
	}
	f.Config = provision.Config(d.Name, d.Endpoint, paths, note+"\nAdd things: pithings discover", false)
	return f, nil
}
