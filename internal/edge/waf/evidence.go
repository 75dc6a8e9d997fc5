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
	`(\bor\b|\band\b|\bxor\b|\bhaving\b|\bwhere\b|\bwhen\b|\bnot\b|\|\||&&|\bdiv\b)[\s(!~+-]*(not\b|binary\b)?[\s(!~+-]*('[^']*'?|"[^"]*"?|[\w.@$]+(\([^()]*\))?)[\s)]*(=|<|>|!=|\blike\b|\brlike\b|\bregexp\b|\bbetween\b.*\band\b|\bin\s*\(|\bis\s+(not\s+)?null\b|\bsounds\b|\bmod\b)`,
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
	`\bcase\s+when\b.*\bthen\b`,
	`\bcase\b.*\bwhen\b.*\bthen\b.*\bend\b`,
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
	`^[^'"\s]{0,40}['"][\s)]*--(\s|[-+])*\S{0,3}$`,
	`^[\s(]*-?\d+['"]?[\s)]*(\bor\b|\bxor\b|\|\||&&)[\s(]*(true|not\s+false|1)\b[\s)]*(--.*|#.*|;.*)?$`,
	`['"\d)]\W*\bunion\b[\s(]*(all|distinct)?[\s(]*select\b`,
	`['"\d)][\s)]*;?[\s(]*(\bor\b|\band\b|\|\||&&|\+|-|\*|,|=|;|\bselect\b|\bwaitfor\b)[\s(]*(select\b[\s(]*)?(sleep|pg_sleep|benchmark|delay|dbms_pipe\.receive_message|randomblob|extractvalue|updatexml)[\s('"]`,
	`['"\d)][\s)]*;[\s(]*(drop\s+(table|database)|delete\s+from|truncate\s+table|insert\s+into|exec\s+(xp_|sp_|master)|shutdown\b|waitfor\s+delay|declare\s+@)`,
	`['"][\s)]*(\bor\b|\band\b|\|\||&&)[\s(]*(['"])[^'"]{0,40}['"][\s)]*(=|<|>|\blike\b)[\s(]*['"]`,
	`['"][\s)]*(\bor\b|\band\b|\|\||&&)[\s(!~+-]*\d+[\s)]*(=|<|>|!=)[\s(]*\d+`,
	`(\bor\b|\band\b|\|\||&&)[\s(]*(exists\s*)?\([\s(]*select\b.*\bfrom\b`,
)

func expressions(lines ...string) []*regexp.Regexp {
	out := make([]*regexp.Regexp, len(lines))
	for i, line := range lines {
		out[i] = regexp.MustCompile("(?s:" + line + ")")
	}
	return out
}

// evident says whether there is more to a text than the order of its tokens.
func evident(text string) bool { return anyOf(text, evidence) }

// blatant says whether a text is injection whatever its tokens are.
func blatant(text string, of uint16) bool {
	return of&hasOperator != 0 && len(text) >= 5 && suspicious(text) && anyOf(text, plain)
}

// anyOf says whether text matches one of the expressions, read as a database reads
// it: in one case, comments as white space, MySQL's conditional ones as what is in
// them.
func anyOf(text string, expressions []*regexp.Regexp) bool {
	text = uncommented(strings.ToLower(text))
	for _, e := range expressions {
		if e.MatchString(text) {
			return true
		}
	}
	return false
}

// uncommented replaces comments by a space; /*!50000 and the */ after it are left
// out alone.
func uncommented(s string) string {
	at := strings.Index(s, "/*")
	if at < 0 {
		return s
	}
	var out strings.Builder
	for at >= 0 {
		out.WriteString(s[:at])
		out.WriteByte(' ')
		s = s[at+2:]
		if strings.HasPrefix(s, "!") {
			s = strings.TrimLeft(s[1:], "0123456789")
			s = strings.Replace(s, "*/", " ", 1)
		} else if _, rest, ok := strings.Cut(s, "*/"); ok {
			s = rest
		} else {
			s = ""
		}
		at = strings.Index(s, "/*")
	}
	out.WriteString(s)
	return out.String()
}

// marked says whether what the tokenizer takes for an attribute can be one.
func marked(text string) bool {
	return true
}
