package agent

import (
	"cmp"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"time"

	"pithings/agent/config"
	"pithings/agent/web"
	"pithings/conf"
	"pithings/flowhost"
	"pithings/mqttlink"
	"pithings/mqttlink/certs"
	"pithings/things"
)

// Check examines what a configuration means and Load does not know: the files that it
// names, and what the program and brokers would refuse. It returns all that is wrong, at
// the places in the file, and touches neither network nor state folder. `run`, a reload,
// `config check` and doctor share it.
//
// Certificates outside their time at now are refused; with the zero time, of who starts
// before the clock is right, they are not looked at.
func Check(c *config.Config, now time.Time) (warnings []conf.Warning, err error) {
	k := checker{c: c, problems: c.Problems(), now: now}
	c.Connections(k.connection)
	k.broker()
	k.web()
	k.gateway()
	files := k.flows()
	return k.warnings, errors.Join(k.problems.Err(), files)
}

type checker struct {
	c        *config.Config
	now      time.Time
	problems *config.Problems
	warnings []conf.Warning
}

// warn keeps a warning once: things share files.
func (k *checker) warn(path, message string) {
	if w := k.c.At(path, message, ""); !slices.Contains(k.warnings, w) {
		k.warnings = append(k.warnings, w)
	}
}

// keys are those that the kinds of problems with certificates are about.
var keys = map[mqttlink.Kind]string{
	mqttlink.BadCA: "ca", mqttlink.BadCertificate: "cert", mqttlink.BadKey: "key",
	mqttlink.KeyMismatch: "key", mqttlink.Expired: "cert", mqttlink.NotYetValid: "cert",
}

func (k *checker) connection(m *config.MQTT, path string) {
	if m.Endpoint == "" {
		return
	}
	o := LinkOptions(m)
	brokerLimits(&o)
	presence(&o, m)
	o.ClientID = cmp.Or(o.ClientID, "made-at-the-start")
	if err := o.Check(); err != nil {
		k.problems.Add(path, err.Error(), "")
	}
	warnings, problems := mqttlink.CheckCertificates(o, k.now)
	for _, p := range problems {
		message, fix := parts(p)
		k.problems.Add(k.given(m, path, keys[p.Kind]), message, fix)
	}
	for _, w := range warnings {
		k.warn(k.given(m, path, "cert"), w)
	}
}

// given returns the path of a file's key: that of the shared connection if a thing's own
// has inherited it.
func (k *checker) given(m *config.MQTT, path, key string) string {
	shared := &k.c.MQTT
	if inherited := map[string]bool{"ca": m.CA == shared.CA, "cert": m.Cert == shared.Cert, "key": m.Key == shared.Key}; inherited[key] {
		path = "mqtt"
	}
	return path + "." + key
}

// parts returns what is wrong and what to do, if err knows them apart.
func parts(err error) (message, fix string) {
	if p := (*certs.Problem)(nil); errors.As(err, &p) {
		return p.What, p.Fix
	}
	return err.Error(), ""
}

// broker reads what the embedded broker needs.
func (k *checker) broker() {
	b := &k.c.Broker
	if b.Listen == "" {
		return
	}
	complete := true
	bad := func(path string, err error) {
		complete = false
		message, fix := parts(err)
		k.problems.Add("broker."+path, message, fix)
	}
	for i, u := range b.Users {
		if u.PasswordFile == "" {
			continue
		}
		if _, err := readHash(u.PasswordFile, u.Name); err != nil {
			bad(fmt.Sprintf("users[%d].password_file", i), fmt.Errorf("user %q: password_file: %w", u.Name, err))
		}
	}
	k.pair("broker.tls", "the embedded broker's certificate ", b.TLS.Cert, b.TLS.Key, func(path string, err error) { bad("tls."+path, err) })
	if b.TLS.ClientCA != "" {
		if clients, err := certs.ReadClientAuthorities(b.TLS.ClientCA); err != nil {
			bad("tls.client_ca", err)
		} else if odd := clients.Odd(); odd != nil {
			k.warn("broker.tls.client_ca", odd.Error())
		}
	}
	if !complete {
		return
	}
	o, err := BrokerOptions(b)
	if err == nil {
		err = o.Check(b.Listen)
	}
	if err != nil {
		bad("listen", err)
	}
}

// pair reads a server's certificate and key, if there are any. bad gets the key that is wrong.
func (k *checker) pair(section, whose, cert, key string, bad func(key string, err error)) {
	if cert == "" {
		return
	}
	pair, errs := certs.CheckPair(cert, key)
	if doubts := certs.ServerDoubts(pair.Leaf); doubts != "" {
		k.warn(section+".cert", "clients may refuse "+whose+cert+": "+doubts)
	}
	if p := k.validity(whose+cert, pair.Leaf); p != nil {
		errs = append(errs, p)
	}
	for _, err := range errs {
		path := "key"
		if p := (*certs.Problem)(nil); errors.As(err, &p) && slices.Contains([]certs.Kind{certs.BadCertificate, certs.Expired, certs.NotYetValid}, p.Kind) {
			path = "cert"
		}
		bad(path, err)
	}
}

// validity returns what is wrong with a certificate's time, if the time is known.
func (k *checker) validity(whose string, c *x509.Certificate) *certs.Problem {
	if k.now.IsZero() {
		return nil
	}
	return certs.Validity(whose, c, k.now)
}

// web checks the web server's token, and warns of pictures that only this machine can fetch
// while others hear of them: the broker is on another host, or takes connections of others.
func (k *checker) web() {
	if file := k.c.HTTP.TokenFile; file != "" {
		if _, err := web.ReadToken(file); err != nil {
			k.problems.Add("http.token_file", "token_file: "+err.Error(), "")
		}
	}
	k.pair("http.tls", "the web server's certificate ", k.c.HTTP.TLS.Cert, k.c.HTTP.TLS.Key, func(path string, err error) {
		message, fix := parts(err)
		k.problems.Add("http.tls."+path, message, fix)
	})
	host := k.c.HTTP.Listen
	if u, err := url.Parse(k.c.HTTP.BaseURL); err == nil && u.Host != "" {
		host = u.Host
	}
	if !web.LocalName(host) {
		return
	}
	for i := range k.c.Things {
		t := &k.c.Things[i]
		if !things.KindOf(t.Type).Web {
			continue
		}
		at := k.c.Broker.Listen
		if u, err := url.Parse(k.c.Connection(t).Endpoint); err == nil && u.Host != "" {
			at = u.Host
		}
		if at != "" && !web.LocalName(at) {
			k.warn("http.listen", fmt.Sprintf("other hosts reach the broker %s, but only this one can fetch the pictures of thing %s; set http.listen (--listen 0.0.0.0:8080) or http.base_url", at, t.Name))
			return
		}
	}
}

// flows reads the files of flows, whose problems have places of their own.
func (k *checker) flows() error {
	var all []error
	for i := range k.c.Flows {
		one := &k.c.Flows[i]
		if one.File == "" {
			continue
		}
		r, err := flowFile(one)
		if err != nil {
			k.problems.Add(fmt.Sprintf("flows[%d].file", i), fmt.Sprintf("flow %s: %v", cmp.Or(one.Name, one.File), err), "")
			continue
		}
		if _, err := flowhost.Validate(r.Files, r.Options); err != nil {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// gateway compiles the scripts of the gateway, and looks for what does nothing. A rule whose
// script is wrong is off, and the others work, so that this is no reason not to start.
func (k *checker) gateway() {
	warn := func(path, format string, args ...any) { k.warn("gateway."+path, fmt.Sprintf(format, args...)) }
	k.c.Gateway.CheckScripts(warn)
	var names []string
	for i := range k.c.Things {
		names = append(names, k.c.Things[i].Name)
	}
	k.c.Gateway.Doubts(warn, names)
}
