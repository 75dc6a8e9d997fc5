package cloudfront

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/dropstack/dropstack/internal/wire"
)

// Templates and the API write the same configuration in two ways: the API wraps
// every list in Quantity and Items, and spells some names otherwise. Here is the one
// turned into the other; what the configuration means is for the edge to say.

// renamed are the members that the API spells otherwise than templates do.
var renamed = map[string]string{
	"ACMCertificateArn":  "AcmCertificateArn",
	"CustomHeaders":      "OriginCustomHeaders",
	"IAMCertificateId":   "IamCertificateId",
	"IsIPV6Enabled":      "IPV6Enabled",
	"OriginSslProtocols": "OriginSSLProtocols",
	"SSLSupportMethod":   "SslSupportMethod",
}

// elements are what the API calls the items of lists, by the API's name of the list.
var elements = map[string]string{
	"Aliases": "CNAME", "AllowedMethods": "Method", "CacheBehaviors": "CacheBehavior", "CachedMethods": "Method",
	"CustomErrorResponses": "CustomErrorResponse", "CustomHeaders": "OriginCustomHeader", "FunctionAssociations": "FunctionAssociation",
	"Headers": "Name", "LambdaFunctionAssociations": "LambdaFunctionAssociation", "Locations": "Location", "OriginSslProtocols": "SslProtocol",
	"Origins": "Origin", "QueryStringCacheKeys": "Name", "TrustedKeyGroups": "KeyGroup", "TrustedSigners": "AwsAccountNumber", "WhitelistedNames": "Name",
	// these are wrapped in templates too
	"Members": "OriginGroupMember", "OriginGroups": "OriginGroup", "StatusCodes": "StatusCode",
}

// wrapped are the lists that templates wrap as the API does.
var wrapped = map[string]bool{"Members": true, "OriginGroups": true, "StatusCodes": true}

// Config is a DistributionConfig in the form of templates; its values are texts,
// numbers, lists and objects.
type Config map[string]any

// UnmarshalXML reads it as the API writes it.
func (c *Config) UnmarshalXML(dec *xml.Decoder, start xml.StartElement) error {
	e, err := parse(dec, start, 0)
	if err != nil {
		return err
	}
	object, ok := e.config().(map[string]any)
	if !ok {
		return invalid("InvalidArgument", "%s is empty", start.Name.Local)
	}
	*c = object
	return nil
}

// MarshalXML writes it as the API does.
func (c Config) MarshalXML(enc *xml.Encoder, start xml.StartElement) error {
	var b bytes.Buffer
	for _, member := range slices.Sorted(maps.Keys(c)) {
		writeMember(&b, start.Name.Local, member, c)
	}
	return enc.EncodeElement(struct {
		Inner []byte `xml:",innerxml"`
	}{b.Bytes()}, start)
}

// element is an element of a document.
type element struct {
	name     string
	text     string
	children []*element
}

func (e *element) child(name string) *element {
	for _, c := range e.children {
		if c.name == name {
			return c
		}
	}
	return nil
}

// deepest is how deep elements are nested in configurations, and some more.
const deepest = 20

func parse(dec *xml.Decoder, start xml.StartElement, depth int) (*element, error) {
	e := &element{name: start.Name.Local}
	if depth > deepest {
		return nil, invalid("InvalidArgument", "%s is nested too deeply", e.name)
	}
	for {
		token, err := dec.Token()
		if err != nil {
			return nil, err
		}
		switch t := token.(type) {
		case xml.StartElement:
			child, err := parse(dec, t, depth+1)
			if err != nil {
				return nil, err
			}
			e.children = append(e.children, child)
		case xml.CharData:
			e.text += string(t)
		case xml.EndElement:
			return e, nil
		}
	}
}

// config is a configuration as templates write it; its values are texts, lists and
// objects.
func (e *element) config() any {
	if len(e.children) == 0 {
		if elements[e.name] != "" { // a list with nothing in it
			return []any{}
		}
		return strings.TrimSpace(e.text)
	}
	if e.child("Quantity") != nil && !wrapped[e.name] && e.name != "GeoRestriction" {
		return e.list()
	}
	out := map[string]any{}
	for _, c := range e.children {
		switch {
		case e.name == "GeoRestriction" && c.name == "Items":
			out["Locations"] = c.items()
		case e.name == "GeoRestriction" && c.name == "Quantity":
		case c.name == "Items":
			out["Items"] = c.items()
		default:
			if name, ok := renamed[c.name]; ok {
				out[name] = c.config()
			} else {
				out[c.name] = c.config()
			}
			if cached := c.child("CachedMethods"); c.name == "AllowedMethods" && cached != nil {
				out["CachedMethods"] = cached.list()
			}
		}
	}
	return out
}

func (e *element) list() []any {
	if items := e.child("Items"); items != nil {
		return items.items()
	}
	return []any{}
}

func (e *element) items() []any {
	list := []any{}
	for _, c := range e.children {
		list = append(list, c.config())
	}
	return list
}

// write is a configuration as the API writes it.
func write(b *bytes.Buffer, name string, value any) {
	for api, template := range renamed {
		if template == name {
			name = api
		}
	}
	b.WriteString("<" + name + ">")
	switch v := value.(type) {
	case map[string]any:
		for _, member := range slices.Sorted(maps.Keys(v)) {
			writeMember(b, name, member, v)
		}
	case []any:
		writeList(b, name, v)
	default:
		_ = xml.EscapeText(b, []byte(text(v))) // to memory
	}
	b.WriteString("</" + name + ">")
}

func writeMember(b *bytes.Buffer, in, member string, of map[string]any) {
	switch list, is := of[member].([]any); {
	case member == "CachedMethods": // stands in AllowedMethods
	case member == "AllowedMethods" && is:
		b.WriteString("<AllowedMethods>")
		writeList(b, member, list)
		if cached, ok := of["CachedMethods"].([]any); ok {
			write(b, "CachedMethods", cached)
		}
		b.WriteString("</AllowedMethods>")
	case in == "GeoRestriction" && member == "Locations" && is:
		writeList(b, member, list)
	case member == "Items" && is:
		writeItems(b, in, list)
	case (member == "TrustedSigners" || member == "TrustedKeyGroups") && is:
		b.WriteString("<" + member + "><Enabled>" + strconv.FormatBool(len(list) > 0) + "</Enabled>")
		writeList(b, member, list)
		b.WriteString("</" + member + ">")
	default:
		write(b, member, of[member])
	}
}

func writeList(b *bytes.Buffer, name string, list []any) {
	fmt.Fprintf(b, "<Quantity>%d</Quantity>", len(list))
	writeItems(b, name, list)
}

func writeItems(b *bytes.Buffer, name string, list []any) {
	item := elements[name]
	if item == "" {
		item = "Item"
	}
	b.WriteString("<Items>")
	for _, v := range list {
		write(b, item, v)
	}
	b.WriteString("</Items>")
}

func text(v any) string {
	s, _ := wire.Plain(v) // lists and objects have been written already
	return s
}
