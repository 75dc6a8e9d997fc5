package secret

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"

	"github.com/dropstack/dropstack/internal/fault"
)

// A paging token is the last name of a page behind a MAC of it and of the query,
// so that it works for the query that it was made for and no other.
const macSize = 16

func (p *Parameters) token(action string, query any, last string) string {
	return base64.RawURLEncoding.EncodeToString(append(p.mac(action, query, last), last...))
}

// position returns the name that a token stands for: none without a token.
func (p *Parameters) position(token, action string, query any) (string, error) {
	if token == "" {
		return "", nil
	}
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err == nil && len(raw) > macSize && hmac.Equal(raw[:macSize], p.mac(action, query, string(raw[macSize:]))) {
		return string(raw[macSize:]), nil
	}
	return "", fault.Coded(fault.Invalid, "InvalidNextToken", "the token is none that this query has given; start again without one")
}

func (p *Parameters) mac(action string, query any, last string) []byte {
	doc, err := json.Marshal([]any{action, query, last})
	if err != nil {
		panic(err) // only for what is no request
	}
	mac := hmac.New(sha256.New, p.tokens)
	mac.Write(doc)
	return mac.Sum(nil)[:macSize]
}

// results is how many results a page is to have.
func results(asked *int, usual, most int) (int, error) {
	if asked == nil {
		return usual, nil
	}
	if *asked < 1 || *asked > most {
		return 0, invalid("MaxResults is %d; 1 to %d are possible", *asked, most)
	}
	return *asked, nil
}
