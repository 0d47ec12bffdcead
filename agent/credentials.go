package agent

import (
	"context"
	"net/http"
	"net/netip"

	"pithings/agent/access"
	"pithings/api"
	"pithings/conf"
	"pithings/spool/control"
)

// Where the owner of an agent sets who may use its web server.
const (
	passwordPath = "/api/v1/access/password"
	tokensPath   = "/api/v1/access/tokens"
	revokePath   = tokensPath + "/revoke"
)

// newPassword is the hash of one: the password itself stays with who has set it.
type newPassword struct {
	Hash string `json:"hash"`
}

// NewToken asks for a token.
type NewToken struct {
	Name string   `json:"name"`
	Role string   `json:"role"`
	From []string `json:"from,omitempty"` // networks (CIDR); none: from everywhere
}

// Make makes the token with a door, and returns its secret.
func (n *NewToken) Make(d *access.Door) (string, error) {
	role, err := access.ParseRole(n.Role)
	if err != nil {
		return "", err
	}
	from, err := conf.Nets(n.From)
	if err != nil {
		return "", err
	}
	for i := range from {
		from[i] = netip.PrefixFrom(from[i].Addr().Unmap(), from[i].Bits()).Masked()
	}
	return d.AddToken(n.Name, role, from)
}

// madeToken is the answer to a NewToken.
type madeToken struct {
	Token    string `json:"token"`
	Password bool   `json:"password"` // one is set, so that the token opens something
}

// Control implements Controller: the credentials are the owner's alone.
func (w *webService) Control() []api.Route {
	return []api.Route{
		{Method: http.MethodPost, Path: passwordPath, For: api.Owner, Doc: "set the password of the web server", Takes: newPassword{}, Gives: struct{}{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				var in newPassword
				if err := api.Decode(r, &in); err != nil {
					return nil, err
				}
				return struct{}{}, w.door.SetPassword(in.Hash)
			})},
		{Method: http.MethodGet, Path: tokensPath, For: api.Owner, Doc: "list the tokens of the web server", Gives: []access.Token{},
			Handler: api.JSON(func(*http.Request) (any, error) { return w.door.Tokens(), nil })},
		{Method: http.MethodPost, Path: tokensPath, For: api.Owner, Doc: "make a token for the web server", Takes: NewToken{}, Gives: madeToken{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				var in NewToken
				if err := api.Decode(r, &in); err != nil {
					return nil, err
				}
				token, err := in.Make(w.door)
				if err != nil {
					return nil, err
				}
				return madeToken{token, w.door.PasswordSet()}, nil
			})},
		{Method: http.MethodPost, Path: revokePath, For: api.Owner, Doc: "revoke a token of the web server", Takes: NewToken{}, Gives: struct{}{},
			Handler: api.JSON(func(r *http.Request) (any, error) {
				var in NewToken
				if err := api.Decode(r, &in); err != nil {
					return nil, err
				}
				return struct{}{}, w.door.RevokeToken(in.Name)
			})},
	}
}

// AskPassword sets the password of an agent's web server, by its hash.
func AskPassword(ctx context.Context, c *control.Client, hash string) error {
	return c.Do(ctx, http.MethodPost, passwordPath, newPassword{hash}, nil)
}

// AskToken makes a token of an agent; password reports whether one is set, without which the
// token opens nothing.
func AskToken(ctx context.Context, c *control.Client, n NewToken) (token string, password bool, err error) {
	var made madeToken
	err = c.Do(ctx, http.MethodPost, tokensPath, n, &made)
	return made.Token, made.Password, err
}

// AskTokens lists the tokens of an agent.
func AskTokens(ctx context.Context, c *control.Client) (all []access.Token, err error) {
	return all, c.Do(ctx, http.MethodGet, tokensPath, nil, &all)
}

// AskRevoke revokes a token of an agent.
func AskRevoke(ctx context.Context, c *control.Client, name string) error {
	return c.Do(ctx, http.MethodPost, revokePath, NewToken{Name: name}, nil)
}
