package main

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// The page for mosquitto's users names every option that pub and watch take or answer,
// by its long name, or its letter if it has no other there.
func TestMosquittoPage(t *testing.T) {
	page, err := os.ReadFile("../../docs/mosquitto.md")
	if err != nil {
		t.Fatal(err)
	}
	unnamed := map[string]string{ // those that mosquitto has by letter alone, or that are in one row of the table
		"bind": "-A", "srv": "-S", "session-expiry-interval": "-x", "format": "-F", "count": "-C", "timeout": "-W",
		"no-newline": "-N", "no-retained": "-R", "exit-subscribed": "-E", "topics": "-v", "topic": "-t", "message": "-m",
		"file": "-f", "stdin-line": "-l", "stdin-file": "-s", "null-message": "-n", "retain": "-r", "ca": "--ca", "help": "help",
	}
	ours := []string{"connection", "drain", "linger", "state"} // of pub, in its help
	for _, c := range newRoot().Commands() {
		if c.Name() != "pub" && c.Name() != "watch" {
			continue
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			want := unnamed[f.Name]
			if want == "" {
				want = "--" + f.Name
			}
			for _, name := range ours {
				if f.Name == name {
					return
				}
			}
			if !strings.Contains(string(page), want) {
				t.Errorf("docs/mosquitto.md lacks %s (%s --%s)", want, c.Name(), f.Name)
			}
		})
	}
}

// One set of long connection flags, in every command that connects: a certificate for
// another name needs server-name everywhere (Koenkk/zigbee2mqtt#19450).
func TestEveryConnectionHasTheSameFlags(t *testing.T) {
	root := newRoot()
	for _, line := range []string{"pub", "watch", "run", "flow run", "ms", "camera", "screen", "publish"} {
		c, _, err := root.Find(strings.Fields(line))
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range strings.Fields("endpoint host port username pw password-file ca cert key client-id server-name keepalive alpn rootCA cafile capath id clientId tls-alpn") {
			if c.Flags().Lookup(name) == nil {
				t.Errorf("%s has no --%s", line, name)
			}
		}
		if c.Flags().ShorthandLookup("h").Name != "host" {
			t.Errorf("-h of %s is not the host", line)
		}
	}
	letters := map[string]string{"ms": "ercknip", "camera": "ercknip", "screen": "ercknip", "publish": "erckitp", "watch": "erckitp", "pub": "eitp"}
	means := map[rune]string{'e': "endpoint", 'r': "ca", 'c': "cert", 'k': "key", 'i': "client-id", 't': "topic", 'n': "name", 'p': "port"}
	for name, seeds := range letters {
		c, _, err := root.Find([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range seeds {
			if f := c.Flags().ShorthandLookup(string(l)); f == nil || f.Name != means[l] {
				t.Errorf("-%c of %s is not --%s", l, name, means[l])
			}
		}
	}
}

// What a connection's flags mean, as settings of a configuration.
func TestConnectionFlags(t *testing.T) {
	ownHome(t)
	for _, row := range []struct{ line, want string }{
		{"pub -h broker", "endpoint=mqtt://broker:1883"},
		{"pub --host ::1", "endpoint=mqtt://[::1]:1883"},
		{"pub --host [::1]:1884", "endpoint=mqtt://[::1]:1884"},
		{"pub -h broker:1884", "endpoint=mqtt://broker:1884"},
		{"pub -p 1884", "endpoint=mqtt://localhost:1884"},
		{"pub -h broker -p 8883", "endpoint=mqtts://broker:8883"},
		{"pub -h broker --cafile x", "endpoint=mqtts://broker:8883 ca=x"},
		{"pub -h broker -p 1884 --capath x", "endpoint=mqtts://broker:1884 ca=x"},
		{"pub -h broker --tls-use-os-certs", "endpoint=mqtts://broker:8883"},
		{"pub -h a1b2-ats.iot.eu-west-1.amazonaws.com", "endpoint=mqtts://a1b2-ats.iot.eu-west-1.amazonaws.com:8883"},
		{"pub -e broker", "endpoint=mqtts://broker"},
		{"pub -e mqtt://broker -p 1884", "endpoint=mqtt://broker:1884"},
		{"pub -e wss://broker/mqtt", "endpoint=wss://broker/mqtt"},
		{"pub -L mqtt://me:a%40b@broker/t", "endpoint=mqtt://broker username=me password=a%40b"},
		{"pub -L mqtts://broker:8884/t/u", "endpoint=mqtts://broker:8884"},
		{"pub -L mqtts://me@broker/t", "endpoint=mqtts://broker username=me"},
		{"pub -h b -u me -P secret --id x -k 60", "endpoint=mqtt://b:1883 username=me password=secret client_id=x keepalive=1m0s"},
		{"pub -h b -k 90s -M 5", "endpoint=mqtt://b:1883 keepalive=1m30s window=5"},
		{"pub -h b --will-topic w --will-payload p --will-qos 1 --will-retain", "endpoint=mqtt://b:1883 will.topic=w will.payload=p will.qos=1 will.retain=true"},
		{"pub -h b --tls-alpn mqtt --server-name c", "endpoint=mqtts://b:8883 server_name=c alpn=mqtt"},
	} {
		c, rest, err := newRoot().Find(strings.Fields(row.line))
		if err != nil {
			t.Fatal(err)
		}
		var f connection
		fs := pflag.NewFlagSet("", pflag.ContinueOnError)
		f.add(fs, mosquittoLetters.with("keepalive", "k"))
		f.extra.add(fs, new(bool), "c")
		fs.IntVarP(&f.extra.inflight, "max-inflight", "M", 0, "")
		if err := fs.Parse(rest); err != nil {
			t.Fatalf("%s: %v", row.line, err)
		}
		c.SetErr(new(strings.Builder))
		all, err := f.settings(c, "")
		var got []string
		for _, s := range all {
			got = append(got, s.key+"="+s.value)
		}
		if err != nil || strings.Join(got, " ") != row.want {
			t.Errorf("%s: %v, %v\nwant %s", row.line, got, err, row.want)
		}
	}
}
