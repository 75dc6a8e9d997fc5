package waf

import (
	"regexp"
	"strings"
)

// evidence is what an injection has to have to work, in lower case and with its
// comments taken for white space. Each line is one technique.
var evidence = expressions(
	// a second query
	`\bunion\b[\s(]*(all|distinct|distinctrow)?[\s(]*(select|values|table)\b`,
	// a condition that is always true, or asks something
	`(\bor\b|\band\b|\bxor\b|\bhaving\b|\bwhere\b|\bwhen\b|\bnot\b|\|\||&&|\bdiv\b)[\s(!~+-]*(not\b|binary\b)?[\s(!~+-]*('[^']*'?|"[^"]*"?|[\w.@$]+(\([^()]*\))?)[\s)]*(=($|[^=])|<($|[^<-])|>($|[^>])|!=($|[^=])|\blike\b|\brlike\b|\bregexp\b|\bbetween\b.*\band\b|\bin\s*\(|\bis\s+(not\s+)?null\b|\bsounds\b|\bmod\b)`,
	`['"][\s)]*(\bor\b|\band\b|\bxor\b|\|\||&&)[\s(!~+-]*(not\b)?[\s(!~+-]*(true|false|null|\d|'|"|\w+\()`,
	`^[\s(]*-?\d+[\s)]*(\bor\b|\bxor\b|\|\||&&)[\s(!~+-]*(true|1|'|"|\w+\()`,
	`^[\s(]*-?\d+[\s)]*\band\b[\s(!~+-]*(true|false|[01]\b\W*$|'|"|\w+\()`,
	`\b(or|and)\b[\s(]*(not\s+)?(exists\s*)?\([\s(]*select\b`,
	// out of a string, and an operator
	`['"][\s)]*(=|<|>|!|\|\||&&|\+|\*|/|%|\^|\||&|~|-)[\s(]*['"]`,
	`^[^'"]{0,40}['"][\s)]*(--|#|;)\s*-?\s*\S{0,4}\s*$`,
	`['"][\s)]*(like|rlike|regexp|between|in|is\s+not|is\s+null|div|mod|into|procedure|limit|offset|having|collate)\b[\s(]*(['"\d(]|null)`,
	// a second statement
	`;[\s(]*(drop|truncate|alter|create|rename)\s+(temporary\s+)?(table|database|schema|user|index|view|column|function|procedure|trigger|role|login)\b`,
	`;[\s(]*(delete\s+from|insert\s+(ignore\s+)?into|replace\s+into|update\s+\S+\s+set|merge\s+into|copy\s+\S+\s+(from|to))\b`,
	`;[\s(]*(shutdown|begin|commit|rollback|waitfor|dbcc|backup|restore|call|do|handler|attach|load_file|grant|revoke|use|declare|exec|execute|set|select|if|print|while)\b[\s(]*(;|--|@|'|"|\(|\d|delay|database|xp_|sp_|master|\*|\w+\(|null|null,|all\b|\w+\s+(from|set|into|to|on|=)\b|$)`,
	// what only databases have
	`\b(sleep|benchmark|pg_sleep|dbms_lock\.sleep|dbms_pipe\.receive_message|randomblob|extractvalue|updatexml|xmltype|load_file|load_extension|utl_inaddr\.get_host_name|utl_http\.request|ctxsys\.drithsx\.sn|group_concat|concat_ws|make_set|name_const|row_count|found_rows|current_user|system_user|session_user|openrowset|opendatasource|xp_cmdshell|lo_import|pg_read_file|json_keys|gtid_subset|geometrycollection|multipoint|polygon|linestring|string_agg|xmlagg|listagg|sys_context|generate_series|db_name|user_name|object_id|col_name|is_srvrolemember|has_dbaccess|quote_literal|query_to_xml|database_to_xml)\s*\(`,
	`\bwaitfor\s+(delay|time)\b`,
	`\b(information_schema|sysobjects|syscolumns|sysusers|sysdatabases|pg_catalog|pg_shadow|pg_user|sqlite_master|sqlite_version|all_tables|all_users|user_tables|user_tab_columns|msysaccessobjects|v\$version|v\$session|mysql\.user|master\.\.\w|rdb\$database)\b`,
	`@@(version|hostname|datadir|basedir|servername|global|session|innodb|tmpdir|identity|spid|language|\w+_\w+)`,
	`\binto\s+(out|dump)file\b`,
	`\bprocedure\s+analyse\b`,
	`\b(exec|execute)\b[\s(]*(immediate|master|xp_\w+|sp_\w+|@\w+|'|"|\()`,
	`\bdeclare\s+@\w+`,
	`\bcase\s+([\w.@()'"]+\s+)?when\b.*\bthen\b`,
	// a query in brackets
	`[(,=<>][\s(]*select\b[\s(]*(.*\bfrom\b|[@'"\d]|\w+\(|case\b|null\b|top\b|count\b)`,
	`^\W*select\b.*\bfrom\b.*(\bwhere\b|\blimit\b|\border\s+by\b|--|#|;|\*|\()`,
	`^\W*select\b[\s(]*(\*|[\w,\s]+)\s+from\s+\w+\W*$`,
	`^\W*(insert\s+into\s+\w+.*(values|select)\b|delete\s+from\s+\w+(\W*$|\s+where\b)|update\s+\w+\s+set\s+\w+\s*=|drop\s+(table|database)\s+\w+\W*$)`,
	// how many columns there are
	`^[^a-z]{0,20}\w{0,12}['")\s\d][\s)]*(order|group)\s+by\s+(\d+|\(select|\w+\()`,
	`['"\d)][\s)]*(group\s+by\s+[\w.,\s]+\bhaving|having)\b`,
	`['"\d)][\s)]*limit\s+\d+\s*(,|offset|into|procedure|union|--|#|;|$)`,
	// functions where there should be a number
	`^[\s(]*-?\d+[\s)]*[-+*/%^|&<>=]+[\s(]*(if|ifnull|nullif|coalesce|ascii|ord|char|chr|substr|substring|mid|left|right|length|len|version|database|user|count|cast|convert|hex|unhex|concat|exp|floor|rand|power|abs|select|case|\w+)\s*\(`,
	`\b(char|chr|nchar)\s*\(\s*(\d+|0x[0-9a-f]+)\s*[,)]`,
	`\b(convert|cast)\s*\(\s*.*\b(using|as)\s+\w+`,
	`\b(ascii|ord|substring|substr|mid|length|hex|unhex)\s*\(\s*(\(|select|user|database|version|@@|0x|')`,
	`\b0x[0-9a-f]{6,}\b`,
	// a comment at the end of what was a number
	`^[\s(]*-?\d+[\s)]*(--|#|/\*)\W*$`,
	`\bsp_password\b`,
)

// plain is injection that the tokenizer does not know by its first five tokens.
var plain = expressions(
	// a condition behind a number or a string
	`^[\s(]*-?\d[\d.]*(e\d+)?['"]?[\s)]*(or|and|xor|\|\||&&)\b[\s(]*(true|false|not\s+false|1|[!~]\d+)[\s)]*(--.*|#.*|;.*)?$`,
	`^[\s(]*-?\d[\d.]*(e\d+)?['"]?[\s)]*(or|and|xor|\|\||&&)\b[\s(!~+-]*\d+[\s)]*([-+*/]\s*\d+[\s)]*)?(=|<|>|!=|\blike\b)`,
	`['"][\s)]*(\bor\b|\band\b|\|\||&&)[\s(]*(['"])[^'"]{0,40}['"][\s)]*(=|<|>|\blike\b)[\s(]*['"]`,
	`['"][\s)]*(\bor\b|\band\b|\|\||&&)[\s(!~+-]*\d+[\s)]*(=|<|>|!=)[\s(]*\d+`,
	`(\bor\b|\band\b|\|\||&&)[\s(]*(exists\s*)?\([\s(]*select\b.*\bfrom\b`,
	`['"\d)][\s)]*;?[\s(]*(\bor\b|\band\b|\|\||&&|\+|-|\*|,|=|;|\bselect\b|\bwaitfor\b)[\s(]*(select\b[\s(]*)?(sleep|pg_sleep|benchmark|delay|dbms_pipe\.receive_message|randomblob|extractvalue|updatexml|gtid_subset|geometrycollection|multipoint|polygon|linestring|json_keys|xmltype|load_extension|load_file|group_concat|exp\s*\(\s*~)[\s('"]`,
	`^[\s)]*(or|and|xor|\|\||&&)\b[\s(!~+-]*(\d+|'[^']*')[\s)]*(=|<|>|\blike\b)[\s(]*[\d']`,
	// a second query
	`(['"\d)]\W*|\d\.?e\d+)\bunion\b[\s(]*(all|distinct)?[\s(]*(select|values)\b`,
	`\d(e\d+|\.)?union[\s(]+(all|distinct)?[\s(]*select\b`,
	`['"\d)][\s)]*;[\s(]*(drop|truncate|alter|create)\s+(temporary\s+)?(table|database|schema|user|index|view|function|procedure|trigger|role|login)\b`,
	`['"\d)][\s)]*;[\s(]*(delete\s+from|insert\s+into|replace\s+into|merge\s+into|update\s+\S+\s+set|copy\s+\S+\s+(to|from)|attach\s+database|backup\s+database|grant\s+\w+.*\s+(on|to)|exec\s+(xp_|sp_|master)|execute\s+\w*(xp_|sp_|immediate)|shutdown\b|waitfor\s+delay|declare\s+@|begin\s+declare|call\s+[\w.]+\(|use\s+\w+\s*(;|--))`,
	`['"\d)][\s)]*;[\s(]*select\b[\s(]*(\*|@@|'|"|\d|null|top\b|\w+\s*\(|[\w,.\s]+\bfrom\s+\w+\W*(where\b.*)?$)`,
	`['"\d)][\s)]*procedure\s+analyse\b`,
	// only operators
	`^['"][\s)]*[-+*/^=|&<>%;,]{1,3}[\s(]*(\w{1,8})?[\s)]*[-+*/^=|&<>%;]{0,2}\s*(['"]|--[\s+-]*)$`,
)

// closing is the end of a string and of a query behind it, as it was sent.
var closing = expressions("^[^'\"\\s]{0,40}['\"][\\s)]*;?\\s*(--|#|/\\*)[\\s+-]*\\S{0,3}$")

func expressions(lines ...string) []*regexp.Regexp {
	out := make([]*regexp.Regexp, len(lines))
	for i, line := range lines {
		out[i] = regexp.MustCompile("(?s:" + line + ")")
	}
	return out
}

// evident says whether there is more to a text than the order of its tokens.
// In prose it has to be where the tokenizer has looked.
func evident(text string) bool {
	if !prose(text) {
		return anyOf(text, evidence)
	}
	if anyOf(window(text, 0), evidence) {
		return true
	}
	for _, quote := range []byte{'\'', '"'} {
		if at := strings.IndexByte(text, quote); at >= nearby && anyOf(window(text, at-16), evidence) {
			return true
		}
	}
	return false
}

// nearby is how many bytes of prose the tokenizer may have looked at.
const nearby = 160

func window(text string, from int) string { return text[from:min(from+nearby, len(text))] }

// prose says whether a text is written to be read: many words, and little beside
// them. Comments count for nothing, so that an injection is no prose by having some.
func prose(text string) bool {
	if len(text) < 80 {
		return false
	}
	text = uncommented(text)
	words, letters, inside := 0, 0, false
	for i := range len(text) {
		is := isLetter(text[i]) || text[i] >= 0x80
		if is {
			letters++
		}
		if is && !inside {
			words++
		}
		inside = is
	}
	return words >= 10 && letters*10 >= len(text)*6
}

// blatant says whether a text is injection whatever its tokens are.
func blatant(text string, of uint16) bool {
	if of&(hasOperator|hasSpace) == 0 || len(text) < 3 || !suspicious(text) {
		return false
	}
	if anyOf(text, plain) || closing[0].MatchString(text) {
		return true
	}
	// filters that delete comments join what they stood between
	joined := commented.ReplaceAllString(text, "")
	return joined != text && anyOf(joined, plain)
}

var commented = regexp.MustCompile(`(?s)/\*.*?\*/`)

// anyOf says whether text matches one of the expressions, read as a database reads
// it: in one case, comments as white space, MySQL's conditional ones as what is in
// them, and without what only makes it long.
func anyOf(text string, expressions []*regexp.Regexp) bool {
	text = condensed(uncommented(strings.ToLower(text)))
	for _, e := range expressions {
		if e.MatchString(text) {
			return true
		}
	}
	return false
}

// uncommented replaces comments by a space; /*!50000 and the */ after it are left
// out alone. It goes over the text once, whatever is in it.
func uncommented(s string) string {
	if !strings.Contains(s, "/*") {
		return s
	}
	var out strings.Builder
	open := 0 // conditional comments
	for s != "" {
		at := strings.IndexByte(s, '*')
		switch {
		case at < 0:
			out.WriteString(s)
			return out.String()
		case at > 0 && s[at-1] == '/' && strings.HasPrefix(s[at+1:], "!"):
			out.WriteString(s[:at-1])
			open++
			s = strings.TrimLeft(s[at+2:], "0123456789")
		case at > 0 && s[at-1] == '/':
			out.WriteString(s[:at-1])
			_, s, _ = strings.Cut(s[at+1:], "*/")
		case open > 0 && strings.HasPrefix(s[at+1:], "/"):
			out.WriteString(s[:at])
			open--
			s = s[at+2:]
		default:
			out.WriteString(s[:at+1])
			s = s[at+1:]
			continue
		}
		out.WriteByte(' ')
	}
	return out.String()
}
