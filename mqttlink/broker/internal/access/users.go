package access

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"pithings/mqttlink/broker/passwd"
	"pithings/mqttlink/topic"
)

// Anonymous is the name of the user whose rights clients without a name have.
const Anonymous = "anonymous"

// User is a user who may connect.
type User struct {
	Name string
	Hash string // of the password, see package passwd; empty: only by certificate
	// Publish and Subscribe are filters of what the user may do. Both nil: everything.
	// In them %u stands for the user's name and %c for the client id.
	Publish, Subscribe []string
}

// Rules say who may connect how.
type Rules struct {
	Users []User
	// AllowAnonymous lets clients in that give no name. They have the rights of the
	// user named anonymous, or all rights if there is none.
	AllowAnonymous bool
	// Certificates: a client whose certificate was verified needs no password. Its
	// user is the certificate's common name.
	Certificates bool
}

// user is a User, parsed.
type user struct {
	name               string
	hash               passwd.Hash
	publish, subscribe []string
}

// Check returns the first thing wrong with the rules.
func (r Rules) Check() error {
	_, err := r.parse()
	return err
}

func (r Rules) parse() (map[string]*user, error) {
	m := map[string]*user{}
	for _, u := range r.Users {
		p, err := r.parseUser(u)
		if err != nil {
			return nil, err
		}
		if m[u.Name] != nil {
			return nil, fmt.Errorf("user %q is there twice", u.Name)
		}
		m[u.Name] = p
	}
	return m, nil
}

func (r Rules) parseUser(u User) (*user, error) {
	p := &user{name: u.Name, publish: u.Publish, subscribe: u.Subscribe}
	if u.Publish == nil && u.Subscribe == nil {
		p.publish, p.subscribe = []string{"#", "$SYS/#"}, []string{"#", "$SYS/#"}
	}
	switch {
	case u.Name == "":
		return nil, errors.New("a user has no name")
	case len(u.Name) > 256 || strings.ContainsFunc(u.Name, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return nil, fmt.Errorf("user %.40q: a name is at most 256 bytes, without control characters", u.Name)
	case u.Name == Anonymous && u.Hash != "":
		return nil, fmt.Errorf("user %s stands for clients without a name, so it has no password", Anonymous)
	case u.Name == Anonymous && !r.AllowAnonymous:
		return nil, fmt.Errorf("user %s has no use without allow_anonymous: true", Anonymous)
	case u.Name != Anonymous && u.Hash == "" && !r.Certificates:
		return nil, fmt.Errorf("user %q has neither password_hash nor password_file, and there are no client certificates (tls.client_ca)", u.Name)
	}
	if u.Hash != "" {
		var err error
		if p.hash, err = passwd.Parse(u.Hash); err != nil {
			return nil, fmt.Errorf("user %q: password hash: %w", u.Name, err)
		}
	}
	for _, f := range slices.Concat(u.Publish, u.Subscribe) {
		if topic.CheckFilter(f) != nil {
			return nil, fmt.Errorf("user %q: %.80q is not a topic filter; write for example home/+/light or home/#", u.Name, f)
		}
	}
	return p, nil
}

// Rights are what one client may do. The zero value allows nothing.
type Rights struct {
	User               string // "" for a client without a name
	all                bool
	publish, subscribe []string
}

// All allows everything.
func All(user string) *Rights { return &Rights{User: user, all: true} }

// rights are a user's for one client id.
func (u *user) rights(name, client string) *Rights {
	return &Rights{User: name, publish: expand(u.publish, name, client), subscribe: expand(u.subscribe, name, client)}
}

// expand puts user and client id into filters. A name that is more than one level,
// or a wildcard, could reach the topics of others, so that its filters match nothing.
func expand(filters []string, user, client string) []string {
	out := make([]string, 0, len(filters))
	for _, f := range filters {
		if strings.Contains(f, "%u") && !level(user) || strings.Contains(f, "%c") && !level(client) {
			continue
		}
		out = append(out, strings.NewReplacer("%u", user, "%c", client).Replace(f))
	}
	return out
}

func level(s string) bool { return s != "" && !strings.ContainsAny(s, "+#/") }

// MayPublish reports whether a message may be published to a topic.
func (r *Rights) MayPublish(topic string) bool {
	return r.all || slices.ContainsFunc(r.publish, func(f string) bool { return matches(f, topic) })
}

// MayReceive reports whether a message on a topic may be delivered.
func (r *Rights) MayReceive(topic string) bool {
	return r.all || slices.ContainsFunc(r.subscribe, func(f string) bool { return matches(f, topic) })
}

// MaySubscribe reports whether a filter asks only for topics that may be received.
func (r *Rights) MaySubscribe(filter string) bool {
	f := unshared(filter)
	return r.all || slices.ContainsFunc(r.subscribe, func(own string) bool { return topic.Covers(own, f) })
}
