package waf

import (
	"maps"
	"slices"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// managed is a group of rules that goes by the name of one of AWS's. The names of its
// rules and labels are AWS's; what they look for is our own, see docs/firewall.md.
type managed struct {
	capacity int64
	labels   string // begin all labels
	members  []member
	// absent are rules that AWS has and we do not: overrides may name them.
	absent []string
}

// member is a rule of a group.
type member struct {
	name  string
	label string
	// one of:
	statement Statement
	inject    *injected
	listed    bool // the client is in the platform's reputation lists
}

// field short-hands for the statements of groups.
var (
	uriPath      = Field{UriPath: &struct{}{}}
	queryString  = Field{QueryString: &struct{}{}}
	allArguments = Field{AllQueryArguments: &struct{}{}}
	bodyField    = Field{Body: &BodyField{OversizeHandling: "CONTINUE"}}
	allCookies   = Field{Cookies: &SeveralFields{MatchPattern: FieldPattern{All: &struct{}{}}, MatchScope: "ALL", OversizeHandling: "CONTINUE"}}
	allHeaders   = Field{Headers: &SeveralFields{MatchPattern: FieldPattern{All: &struct{}{}}, MatchScope: "VALUE", OversizeHandling: "CONTINUE"}}
)

func headerField(name string) Field { return Field{SingleHeader: &NamedField{Name: name}} }

func steps(types ...string) []Transformation {
	out := make([]Transformation, len(types))
	for i, t := range types {
		out[i] = Transformation{Priority: i, Type: t}
	}
	return out
}

// decoded are the transformations of what a client may have encoded up to three times.
func decoded(more ...string) []string {
	return append([]string{"URL_DECODE", "URL_DECODE", "URL_DECODE"}, more...)
}

func regexIn(f Field, expression string, types ...string) Statement {
	return Statement{RegexMatchStatement: &RegexMatch{RegexString: expression, FieldToMatch: f, TextTransformations: steps(types...)}}
}

func larger(f Field, than int64) Statement {
	return Statement{SizeConstraintStatement: &Size{FieldToMatch: f, ComparisonOperator: "GT", Size: than, TextTransformations: steps("NONE")}}
}

// What the groups look for in decoded texts.
const (
	metadataService = `169\.254\.169\.254|169\.254\.170\.2\b|\bfd00:ec2::254|metadata\.google\.internal|100\.100\.100\.200|0xa9fea9fe|\b2852039166\b`
	fileInclusion   = `(^|[/\\=])\.\.[/\\](.*[/\\])?\.\.[/\\]|(^|[/\\])\.\.[/\\].*(etc|proc|windows|boot\.ini|win\.ini|passwd|shadow)|/etc/(passwd|shadow|hosts|group|issue)\b|/proc/(self|version|cmdline|\d+)/?|c:[/\\](windows|boot\.ini|winnt)|\bfile:///|php://(filter|input)|\bexpect://|\bphar://`
	remoteInclusion = `^\s*(https?|ftps?|file)://(\d{1,3}\.){3}\d{1,3}\b|^\s*(https?|ftps?|file)://.*\?\s*$|^\s*(https?|ftps?)://[^?]*\.(php|asp|aspx|jsp|sh|pl|exe|dll)\b`
	badExtensions   = `\.(log|ini|bak|backup|old|orig|swp|sql|conf|config|cfg|pem|key|dump|ds_store|htaccess|htpasswd|git|svn)([?/~]|$)`
	exploitable     = `(^|/)(\.env(\.\w+)?|\.git/(config|head|index)|\.svn/entries|\.aws/credentials|\.ssh/|wp-config\.php|web-inf/|meta-inf/|phpunit/.*eval-stdin\.php|vendor/phpunit|cgi-bin/.*(\.\.|%)|hnap1|boaform/|solr/admin/|actuator/(env|heapdump|gateway)|server-status|manager/html|console/login/loginform\.jsp|_ignition/execute-solution|autodiscover/autodiscover\.json.*powershell|owa/auth/.*\.js|\.\.;/)`
	logLookup       = `\$\{[^}]{0,120}(j|\$\{[^}]*j\}?)[^}]{0,40}(n|\$\{[^}]*n\})[^:]{0,40}(d|\$\{[^}]*d\})[^:]{0,40}(i|\$\{[^}]*i\})[^:]{0,20}:|\$\{(jndi|lower:|upper:|env:|sys:|::-|date:|ctx:|main:)[^}]*`
	javaObjects     = `\baced0005|ro0ab|\bjava\.(lang\.(runtime|processbuilder|class)|util\.(priorityqueue|hashmap)|io\.serializable|rmi\.|net\.url)|\bysoserial|org\.apache\.commons\.collections|com\.sun\.org\.apache\.xalan|javax\.script\.scriptenginemanager|class\.module\.classloader|t\(java\.lang\.`
	badAgents       = `\b(sqlmap|nikto|nessus|openvas|acunetix|netsparker|wpscan|dirbuster|gobuster|feroxbuster|nuclei|masscan|zgrab|havij|w3af|arachni|jaeles|fimap|commix|hydra|burpcollaborator|appscan|whatweb|joomscan|xsser|skipfish|paros|webinspect)\b`
)

// each makes one member for every place, with the statement that is made of its field.
func each(name, label string, at map[string]Field, make func(Field) Statement) []member {
	var out []member
	for _, suffix := range slices.Sorted(maps.Keys(at)) {
		out = append(out, member{name: name + "_" + strings.ToUpper(suffix), label: label + "_" + suffix, statement: make(at[suffix])})
	}
	return out
}

func injectedIn(name, label string, judge func(string, uint16) bool) []member {
	var out []member
	for _, p := range []struct {
		suffix string
		at     int
	}{{"URIPath", inPath}, {"QueryArguments", inQuery}, {"Cookie", inCookies}, {"Body", inBody}} {
		out = append(out, member{
			name: name + "_" + strings.ToUpper(p.suffix), label: label + "_" + p.suffix,
			inject: &injected{[]int{p.at}, judge},
		})
	}
	return out
}

// groups are those that there are, by AWS's names.
var groups = map[string]managed{
	"AWSManagedRulesCommonRuleSet": {
		capacity: 700, labels: "awswaf:managed:aws:core-rule-set:",
		members: slices.Concat(
			[]member{
				{name: "NoUserAgent_HEADER", label: "NoUserAgent_Header", statement: Statement{NotStatement: &Not{Statement: &Statement{
					SizeConstraintStatement: &Size{FieldToMatch: headerField("User-Agent"), ComparisonOperator: "GT", TextTransformations: steps("NONE")},
				}}}},
				{name: "UserAgent_BadBots_HEADER", label: "BadBots_Header", statement: regexIn(headerField("User-Agent"), badAgents, "LOWERCASE")},
				{name: "SizeRestrictions_QUERYSTRING", label: "SizeRestrictions_QueryString", statement: larger(queryString, 2048)},
				{name: "SizeRestrictions_Cookie_HEADER", label: "SizeRestrictions_Cookie_Header", statement: larger(headerField("Cookie"), 10_240)},
				{name: "SizeRestrictions_BODY", label: "SizeRestrictions_Body", statement: larger(bodyField, 8192)},
				{name: "SizeRestrictions_URIPATH", label: "SizeRestrictions_URIPath", statement: larger(uriPath, 1024)},
			},
			each("EC2MetaDataSSRF", "EC2MetaDataSSRF", map[string]Field{"Cookie": allCookies, "URIPath": uriPath, "QueryArguments": allArguments, "Body": bodyField}, func(f Field) Statement {
				return regexIn(f, metadataService, decoded("LOWERCASE")...)
			}),
			each("GenericLFI", "GenericLFI", map[string]Field{"QueryArguments": allArguments, "URIPath": uriPath, "Body": bodyField}, func(f Field) Statement {
				return regexIn(f, fileInclusion, decoded("LOWERCASE")...)
			}),
			each("RestrictedExtensions", "RestrictedExtensions", map[string]Field{"URIPath": uriPath, "QueryArguments": allArguments}, func(f Field) Statement {
				return regexIn(f, badExtensions, decoded("LOWERCASE")...)
			}),
			each("GenericRFI", "GenericRFI", map[string]Field{"QueryArguments": allArguments, "URIPath": uriPath}, func(f Field) Statement {
				return regexIn(f, remoteInclusion, decoded("LOWERCASE")...)
			}),
			injectedIn("CrossSiteScripting", "CrossSiteScripting", xss),
		),
		absent: []string{"GenericRFI_BODY"},
	},
	"AWSManagedRulesSQLiRuleSet": {
		capacity: 200, labels: "awswaf:managed:aws:sql-database:",
		members: slices.Concat(
			injectedIn("SQLi", "SQLi", lowSQLi),
			injectedIn("SQLiExtendedPatterns", "SQLiExtendedPatterns", blatant)[1:],
		),
	},
	"AWSManagedRulesKnownBadInputsRuleSet": {
		capacity: 200, labels: "awswaf:managed:aws:known-bad-inputs:",
		members: slices.Concat(
			[]member{
				{name: "Host_localhost_HEADER", label: "Host_Localhost_Header", statement: regexIn(headerField("Host"), `^(localhost|127\.0\.0\.1)(:\d+)?$`, "LOWERCASE")},
				{name: "PROPFIND_METHOD", label: "Propfind_Method", statement: regexIn(Field{Method: &struct{}{}}, `^propfind$`, "LOWERCASE")},
				{name: "ExploitablePaths_URIPATH", label: "ExploitablePaths_URIPath", statement: regexIn(uriPath, exploitable, decoded("LOWERCASE")...)},
			},
			each("JavaDeserializationRCE", "JavaDeserializationRCE", everywhere, func(f Field) Statement {
				return regexIn(f, javaObjects, decoded("LOWERCASE")...)
			}),
			each("Log4JRCE", "Log4JRCE", everywhere, func(f Field) Statement {
				return regexIn(f, logLookup, decoded("JS_DECODE", "LOWERCASE")...)
			}),
		),
		absent: []string{"ReactJSRCE_BODY"},
	},
	"AWSManagedRulesAmazonIpReputationList": {
		capacity: 25, labels: "awswaf:managed:aws:amazon-ip-list:",
		members: []member{{name: "AWSManagedIPReputationList", label: "AWSManagedIPReputationList", listed: true}},
		absent:  []string{"AWSManagedReconnaissanceList", "AWSManagedIPDDoSList"},
	},
}

var everywhere = map[string]Field{"Header": allHeaders, "URIPath": uriPath, "QueryString": queryString, "Body": bodyField}

// group compiles a reference to a group into r.
func (c *compiler) group(r *rule, g *ManagedGroup, override *Action) error {
	of := groups[g.Name]
	r.only = override != nil && override.Count != nil
	if g.ScopeDownStatement != nil {
		var err error
		if r.scope, err = c.statement(g.ScopeDownStatement, r.name); err != nil {
			return err
		}
	}
	for _, m := range of.members {
		member := &rule{
			name: m.name, full: r.full + "/" + m.name, action: Action{Block: &BlockAction{}}, metric: r.metric, counted: r.counted, samples: r.samples,
			labels: append([]string{of.labels + m.label}, r.labels...),
		}
		for _, o := range g.RuleActionOverrides {
			if o.Name == m.name {
				member.action = o.ActionToUse
			}
		}
		for _, o := range g.ExcludedRules {
			if o.Name == m.name {
				member.action = Action{Count: &CountAction{}}
			}
		}
		switch {
		case m.inject != nil:
			member.statement = m.inject
		case m.listed:
			set := c.firewall.Listed
			if set == nil {
				continue
			}
			member.statement = client{set}
		default:
			var err error
			if member.statement, err = c.statement(&m.statement, r.name); err != nil {
				return err
			}
		}
		r.group = append(r.group, member)
	}
	return nil
}

// checkGroup says what is wrong with a reference to a group.
func checkGroup(g *ManagedGroup) error {
	of, ok := groups[g.Name]
	if g.VendorName != "AWS" || !ok {
		return fault.Coded(fault.Invalid, "WAFNonexistentItemException", "there is no managed rule group %s/%s here; there are %s of vendor AWS. Declare rules of your own in its place, or switch the Core Rule Set on for a behaviour",
			g.VendorName, g.Name, strings.Join(slices.Sorted(maps.Keys(groups)), ", "))
	}
	names := slices.Clone(of.absent)
	for _, m := range of.members {
		names = append(names, m.name)
	}
	for _, o := range g.RuleActionOverrides {
		if !slices.Contains(names, o.Name) {
			return fault.Errorf(fault.Invalid, "RuleActionOverrides: %s has no rule %q; it has %s", g.Name, o.Name, strings.Join(names, ", "))
		}
	}
	for _, o := range g.ExcludedRules {
		if !slices.Contains(names, o.Name) {
			return fault.Errorf(fault.Invalid, "ExcludedRules: %s has no rule %q; it has %s", g.Name, o.Name, strings.Join(names, ", "))
		}
	}
	return nil
}
