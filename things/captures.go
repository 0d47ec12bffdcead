package things

import (
	"encoding/json"
	"slices"
	"sync"
	"time"
	"unicode"

	"pithings/mqttlink"
)

const (
	maxToken = 128 // bytes
	// maxTokens bounds the commands with different tokens that one picture answers.
	maxTokens = 64
	// answersKept is how many tokens are remembered after their answer.
	answersKept = 64
	// redeliveredWithin is how long after an answer a command without a token that
	// the broker marks as a redelivery is taken for the one answered.
	redeliveredWithin = 10 * time.Second
	// repeatPause is how long the answer to a token is not repeated after it was.
	repeatPause = time.Second
)

// Captures are the commands that a camera has to answer. Commands that come while
// a picture is being taken are answered together by one more picture, which is
// younger than all of them: those without a token by one answer, since it does not
// say which command it is for, and those with tokens by one each.
type Captures struct {
	mu       sync.Mutex
	plain    bool     // a command without a token waits
	tokens   []string // of commands that wait, in order
	taking   bool
	asked    []string // tokens that the picture being taken answers
	answered []Answered
}

// Answered is a command that was answered. A command that is redelivered gets the
// same answer again.
type Answered struct {
	Token, URI string
	at         time.Time
	repeated   time.Time
}

// tokenOf returns the token of a capture command: payloads may be anything, and
// what is no token is none.
func tokenOf(payload []byte) string {
	if len(payload) > maxPayload {
		return ""
	}
	var c struct {
		Token string `json:"token"`
	}
	if json.Unmarshal(payload, &c) != nil || len(c.Token) > maxToken {
		return ""
	}
	for _, r := range c.Token {
		if !unicode.IsPrint(r) {
			return ""
		}
	}
	return c.Token
}

// Command notes a command. take reports that a picture is wanted; again is the
// answer to repeat, if it is a redelivery of a command that was answered. Otherwise
// it is one that is being answered, or whose answer was repeated just now, or one too
// many.
func (c *Captures) Command(m mqttlink.Message, now time.Time) (take bool, again *Answered) {
	token := tokenOf(m.Payload)
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.answered {
		a := &c.answered[i]
		if a.Token != token || token == "" && (!m.Dup || now.Sub(a.at) >= redeliveredWithin) {
			continue
		}
		if now.Sub(a.repeated) < repeatPause {
			return false, nil
		}
		a.repeated = now
		repeat := *a
		return false, &repeat
	}
	switch {
	case token == "":
		if m.Dup && c.taking {
			return false, nil
		}
		c.plain = true
	case slices.Contains(c.asked, token), slices.Contains(c.tokens, token), len(c.tokens) == maxTokens:
		return false, nil
	default:
		c.tokens = append(c.tokens, token)
	}
	return true, nil
}

// Begin returns the commands that the picture to be taken now answers, by their
// tokens; "" is that of commands without one.
func (c *Captures) Begin() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	asked := c.tokens
	if c.plain {
		asked = append([]string{""}, asked...)
	}
	c.plain, c.tokens, c.asked, c.taking = false, nil, asked, true
	return asked
}

// End notes that the picture was taken and announced, or that there is none: then uri is "".
func (c *Captures) End(uri string, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if uri != "" {
		for _, token := range c.asked {
			c.answered = slices.DeleteFunc(c.answered, func(a Answered) bool { return a.Token == token })
			if len(c.answered) == answersKept {
				c.answered = c.answered[1:]
			}
			c.answered = append(c.answered, Answered{Token: token, URI: uri, at: now})
		}
	}
	c.asked, c.taking = nil, false
}
