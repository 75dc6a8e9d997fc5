package cloudformation

import (
	"crypto/sha256"
	"encoding/hex"
	"math/big"
	"strings"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/function"
)

// random is how much of a generated name is random.
const random = 12

// name is the name of a resource that has one: what the template says, else what
// it is called already, else the stack, the logical id and something random.
func (p *plan) name(r Resource, given string, limit int) string {
	if given != "" {
		return given
	}
	if r.Physical != "" {
		return r.Physical
	}
	room := limit - random - 2
	stack, id := p.stack, r.ID
	if len(stack)+len(id) > room {
		stack = stack[:min(len(stack), max(room/2, room-len(id)))]
		id = id[:min(len(id), room-len(stack))]
	}
	return strings.TrimSuffix(stack, "-") + "-" + id + "-" + p.platform.Secret()[:random]
}

// fixed is an id of n characters of 0-9 and a-z for a resource that has no name: it
// stays the same as long as its logical id does.
func (p *plan) fixed(r Resource, n int) string {
	if r.Physical != "" {
		return r.Physical
	}
	sum := sha256.Sum256([]byte(p.stack + "\x00" + r.Type + "\x00" + r.ID))
	text := strings.Repeat("0", n) + new(big.Int).SetBytes(sum[:]).Text(36)
	return text[len(text)-n:]
}

// uuid is fixed in the form of a UUID.
func (p *plan) uuid(r Resource) string {
	if r.Physical != "" {
		return r.Physical
	}
	sum := sha256.Sum256([]byte(p.stack + "\x00" + r.Type + "\x00" + r.ID))
	sum[6], sum[8] = sum[6]&0x0f|0x80, sum[8]&0x3f|0x80 // version 8: its own kind
	h := hex.EncodeToString(sum[:16])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:]
}

// named is an ARN of this account.
func (p *plan) arn(service, resource string) string {
	return arn.ARN{Partition: "aws", Service: service, Region: p.region, Account: arn.Account, Resource: resource}.String()
}

// physical finds the resource of a type that is called so.
func (p *plan) physical(typ, id string) (Resource, bool) {
	for logical, r := range p.templates {
		if r.Type == typ && p.made[logical].Physical == id && id != "" {
			return r, true
		}
	}
	return Resource{}, false
}

// function reads the name of a function, with its qualifier if it has one, from a
// name, a part of an ARN or an ARN.
func (p *properties) function(name string) string {
	s := p.text(name)
	if s == "" {
		return ""
	}
	f, why := functionName(s)
	if why != "" {
		p.fail(name, "%s", why)
	}
	return f
}

func functionName(s string) (name, wrong string) {
	if a, err := arn.Parse(s); err == nil {
		rest, ok := strings.CutPrefix(a.Resource, "function:")
		switch {
		case a.Service != "lambda" || !ok:
			return "", s + " is not the ARN of a function"
		case a.Account != arn.Account:
			return "", "the function " + s + " is in another account; this one is " + arn.Account + ", or ${AWS::AccountId}"
		}
		s = rest
	} else if _, rest, ok := strings.Cut(s, ":function:"); ok {
		s = rest
	}
	bare, qualifier, qualified := strings.Cut(s, ":")
	if !function.ValidName(bare) || qualified && qualifier == "" {
		return "", s + " is not the name of a function"
	}
	if qualifier == function.Latest {
		s = bare
	}
	return s, ""
}

// own is a function of this template, nil when it is none.
func (p *plan) own(name string) *function.Function {
	bare, _, _ := strings.Cut(name, ":")
	for i := range p.revision.Functions {
		if f := &p.revision.Functions[i]; f.Name == bare {
			return f
		}
	}
	return nil
}

// ownFunction reads the name of a function of this template and a qualifier that
// stands beside it or in it.
func (p *properties) ownFunction(of *plan, name, qualifier string) (f *function.Function, q string) {
	bare, q, _ := strings.Cut(p.function(name), ":")
	if f = of.own(bare); f == nil && bare != "" {
		p.fail(name, "%q is no function of this template that is made before; name it by Ref or Fn::GetAtt", bare)
	}
	if qualifier != "" {
		if beside := p.text(qualifier); beside != "" && beside != function.Latest {
			q = beside
		}
	}
	return f, q
}
