package cloudformation_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/cloudformation"
)

func stored(_ context.Context, name string) (string, error) {
	if name == "/app/token" || name == "/app/token:2" {
		return "hush,hush", nil
	}
	return "", errors.New("there is no parameter " + name)
}

// What a function gives is what the property X of the resource R is; Other is there
// too, and the parameters Name, Count and Names.
const frame = `
Parameters:
  Name: {Type: String, Default: nova}
  Count: {Type: Number, Default: 3}
  Names: {Type: CommaDelimitedList, Default: "a, b,c"}
  Token: {Type: "AWS::SSM::Parameter::Value<String>", Default: /app/token}
Mappings:
  Sizes: {us-east-1: {small: 128, list: [1, 2]}}
Conditions:
  Nova: !Equals [!Ref Name, nova]
  Never: !Not [!Condition Nova]
  Both: !And [!Condition Nova, !Or [!Condition Never, !Equals ["3", !Ref Count]]]
Resources:
  Other: {Type: T}
  Gone: {Type: T, Condition: Never}
  R:
    Type: T
    Properties:
      X: `

func TestFunctions(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"a parameter":                        {`!Ref Name`, `"nova"`},
		"a number of a parameter is text":    {`!Ref Count`, `"3"`},
		"a list":                             {`!Ref Names`, `["a","b","c"]`},
		"a parameter of Parameter Store":     {`!Ref Token`, `"hush,hush"`},
		"what a resource is called":          {`!Ref Other`, `"phys-Other"`},
		"an attribute":                       {`!GetAtt Other.Arn`, `"arn:of:Other"`},
		"an attribute with a dot":            {`!GetAtt Other.Nested.Name`, `"nested"`},
		"an attribute in the long form":      {`{"Fn::GetAtt": [Other, Arn]}`, `"arn:of:Other"`},
		"join":                               {`!Join ["-", [a, !Ref Name, 1, true]]`, `"a-nova-1-true"`},
		"join a list":                        {`!Join ["", !Ref Names]`, `"abc"`},
		"sub":                                {`!Sub "${Name}/${AWS::Region}/${Other}/${Other.Arn}/${!Literal}/$x"`, `"nova/us-east-1/phys-Other/arn:of:Other/${Literal}/$x"`},
		"sub with variables":                 {`!Sub ["${A}${Name}", {A: !Join ["", [x, y]]}]`, `"xynova"`},
		"select":                             {`!Select [1, !Ref Names]`, `"b"`},
		"select from split":                  {`!Select ["2", !Split [":", "arn:aws:sns"]]`, `"sns"`},
		"if":                                 {`!If [Both, yes it is, no]`, `"yes it is"`},
		"if not":                             {`!If [Never, !Ref Gone, 5]`, `5`},
		"no value in a map":                  {`{A: 1, B: !If [Nova, !Ref "AWS::NoValue", 2]}`, `{"A":1}`},
		"no value in a list":                 {`[1, !Ref "AWS::NoValue", 2]`, `[1,2]`},
		"find in a map":                      {`!FindInMap [Sizes, !Ref "AWS::Region", small]`, `128`},
		"find a list":                        {`!FindInMap [Sizes, us-east-1, list]`, `[1,2]`},
		"an import":                          {`!ImportValue there`, `"imported"`},
		"base64":                             {`!Base64 hello`, `"aGVsbG8="`},
		"zones":                              {`!Select [0, !GetAZs ""]`, `"us-east-1a"`},
		"ranges":                             {`!Cidr ["10.0.0.0/22", 2, 8]`, `["10.0.0.0/24","10.0.1.0/24"]`},
		"ranges of IPv6":                     {`!Cidr ["fd00::/56", 2, 64]`, `["fd00::/64","fd00:0:0:1::/64"]`},
		"the account and the rest":           {`!Sub "${AWS::AccountId} ${AWS::Partition} ${AWS::StackName} ${AWS::URLSuffix}"`, `"000000000000 aws s amazonaws.com"`},
		"nothing to notify":                  {`!Ref "AWS::NotificationARNs"`, `[]`},
		"a dynamic reference":                {`"a {{resolve:ssm:/app/token:2}} b"`, `"a hush,hush b"`},
		"a dynamic reference, with variable": {`!Sub ["{{resolve:ssm-secure:/app/${T}}}", {T: token}]`, `"hush,hush"`},
		"an account number stays text":       {`"012345678901"`, `"012345678901"`},
		"zeros before a number stay":         {`012345678901`, `"012345678901"`},
		"a date stays text":                  {`2012-10-17`, `"2012-10-17"`},
		"a large number":                     {`!Sub ["${N}", {N: 123456789012}]`, `"123456789012"`},
		"a function within a function":       {`!Join ["", ["a", !If [Nova, !Select [0, !Ref Names], b]]]`, `"aa"`},
		"the long form within the short":     {`!Sub ["${A}", {A: {"Fn::Join": ["", [1, {"Ref": Count}]]}}]`, `"13"`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cloudformation.Worked(t.Context(), frame+c.in, nil, stored)
			if err != nil {
				t.Fatal(err)
			}
			if want := `{"Other":{},"R":{"X":` + c.want + `}}`; got != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
		})
	}
}

func TestWrongFunctions(t *testing.T) {
	for name, c := range map[string]struct{ in, want string }{
		"nothing of that name":               {`!Ref Nobody`, `R (T), line 16: X: Ref: there is no parameter or resource "Nobody" in the template`},
		"no such pseudo parameter":           {`!Ref "AWS::Planet"`, `AWS::Planet is no pseudo parameter`},
		"a resource that is not there":       {`!Ref Gone`, `resource Gone is not there: its condition Never does not hold`},
		"no such attribute":                  {`!GetAtt Other.Colour`, `resource Other (T) has no attribute Colour here; there are: Arn, Nested.Name`},
		"a variable of sub":                  {`!Sub "${Nobody}"`, `X: Fn::Sub, ${Nobody}: Ref: there is no parameter or resource "Nobody"`},
		"a list in sub":                      {`!Sub "${Names}"`, `Fn::Sub, ${Names}: the value is not text`},
		"sub without an end":                 {`!Sub "${Name"`, `${ without a closing }`},
		"beyond a list":                      {`!Select [3, !Ref Names]`, `there is no item 3 in a list of 3`},
		"nothing in the map":                 {`!FindInMap [Sizes, us-east-1, huge]`, `there is no Sizes.us-east-1.huge in the template's Mappings`},
		"a default in the map":               {`!FindInMap [Sizes, a, b, {DefaultValue: c}]`, `AWS::LanguageExtensions`},
		"an import that is not there":        {`!ImportValue nowhere`, `No export named nowhere found.`},
		"no room for ranges":                 {`!Cidr ["10.0.0.0/24", 4, 8]`, `10.0.0.0/24 has no room for 4 ranges of 8 bits`},
		"length":                             {`{"Fn::Length": [1]}`, `Fn::Length is not supported here`},
		"text of JSON":                       {`{"Fn::ToJsonString": {}}`, `Fn::ToJsonString is not supported here`},
		"a macro":                            {`{"Fn::Transform": {Name: x}}`, `Fn::Transform is not supported here`},
		"a condition in a property":          {`{"Fn::Equals": [1, 1]}`, `Fn::Equals is for Conditions`},
		"a function that is none":            {`{"Fn::Jion": ["", []]}`, `Fn::Jion is no function; there are Fn::Base64`},
		"a short form that is none":          {`!Jion ["", []]`, `line 19: Template format error: !Jion is no function`},
		"a condition that is not there":      {`!If [Nope, 1, 2]`, `Fn::If: there is no condition "Nope"`},
		"Secrets Manager":                    {`"{{resolve:secretsmanager:db}}"`, `Secrets Manager is not available here; keep the secret as a SecureString`},
		"a stored parameter that is missing": {`"{{resolve:ssm:/app/none}}"`, `X: {{resolve:ssm:/app/none}}: there is no parameter /app/none`},
		"two problems":                       {`[!Ref Nobody, !Ref Nothing]`, "X.0: Ref: there is no parameter or resource \"Nobody\" in the template\nR (T), line 16: X.1: Ref: there is no"},
		"itself":                             {`!Ref R`, `Circular dependency between resources: [R -> R]`},
		"an alias":                           {"&a {b: 1}\n      Y: *a", `aliases (*a) are not supported`},
		"a key twice":                        {"1\n      X: 2", `line 20: Template format error: "X" is there twice`},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := cloudformation.Worked(t.Context(), frame+c.in, nil, stored)
			if err == nil {
				t.Fatalf("got %s, want an error", got)
			}
			if !strings.Contains(err.Error(), c.want) {
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestTemplates(t *testing.T) {
	const resource = `Resources: {A: {Type: T}}`
	for name, c := range map[string]struct{ in, want string }{
		"in YAML":                {resource, ``},
		"in JSON, with tabs":     {"{\t\"Resources\": {\"A\":\t{\"Type\": \"T\"}}}", ``},
		"depends on":             {`Resources: {B: {Type: T, DependsOn: A}, A: {Type: T, DependsOn: [C]}, C: {Type: T}}`, ``},
		"a circle":               {`Resources: {B: {Type: T, DependsOn: A}, A: {Type: T, Properties: {X: !Sub "${B.Arn}"}}}`, `Circular dependency between resources: [A -> B -> A]`},
		"depends on nothing":     {`Resources: {A: {Type: T, DependsOn: Z}}`, `A (T), line 1: DependsOn: there is no resource "Z" in the template`},
		"empty":                  {``, `the template is empty`},
		"no resources":           {`Description: x`, `At least one Resources member must be defined.`},
		"a list":                 {`[a]`, `a template is a map of sections`},
		"JSON cut off":           {"{\n\"Resources\": {", `JSON not well-formed`},
		"JSON with a comma":      {"{\n\"Resources\": {},\n}", `JSON not well-formed. (line 3)`},
		"YAML with a tab":        {"Resources:\n\tA: 1", `YAML not well-formed: line 2`},
		"SAM":                    {"Transform: AWS::Serverless-2016-10-31\n" + resource, `line 1: Transform AWS::Serverless-2016-10-31 is not supported here: deploy the plain template`},
		"a macro":                {"Transform: [Mine]\n" + resource, `Transform Mine is not supported here: macros run at Amazon`},
		"rules":                  {"Rules: {}\n" + resource, `Rules are not supported here`},
		"a section that is none": {"Resource: {}\n" + resource, `Invalid template property or properties [Resource]`},
		"another version":        {"AWSTemplateFormatVersion: 2010-09-10\n" + resource, `unsupported AWSTemplateFormatVersion`},
		"the version as a date":  {"AWSTemplateFormatVersion: 2010-09-09\n" + resource, ``},
		"no type":                {`Resources: {A: {Properties: {}}}`, `A, line 1: Type is missing`},
		"an unknown type":        {`Resources: {A: {Type: "AWS::EC2::Instance"}, B: {Type: "AWS::Serverless::Function"}}`, "A (AWS::EC2::Instance), line 1: AWS::EC2::Instance is not deployed here: there are no virtual machines; a host outside is an AWS::EC2::NetworkInterface with dropstack:attach in its Metadata\nB (AWS::Serverless::Function), line 1: AWS::Serverless::Function is not deployed here: templates are not transformed"},
		"an unknown type that is not there": {
			"Conditions: {Never: !Equals [a, b]}\nResources: {A: {Type: T}, B: {Type: \"AWS::EC2::Instance\", Condition: Never}}", ``,
		},
		"a snapshot":                    {`Resources: {A: {Type: T, DeletionPolicy: Snapshot}}`, `Snapshot is not supported here`},
		"a property in a wrong place":   {`Resources: {A: {Type: T, TopicName: x}}`, `"TopicName" is no attribute of a resource; did you mean to put it below Properties?`},
		"signals":                       {`Resources: {A: {Type: T, CreationPolicy: {}}}`, `nothing sends signals`},
		"a logical id with a hyphen":    {`Resources: {a-b: {Type: T}}`, `a logical id has only letters and digits`},
		"a condition that is not there": {`Resources: {A: {Type: T, Condition: C}}`, `A (T), line 1: there is no condition "C" in the template`},
		"conditions of each other":      {"Conditions: {A: !Condition B, B: !Not [!Condition A]}\n" + resource, `conditions depend on each other: A, B, A`},
		"a condition on a resource":     {"Conditions: {A: !Equals [!Ref A, 1]}\n" + resource, `conditions cannot depend on resources, only on parameters`},
		"an output without a value":     {resource + "\nOutputs: {O: {}}", `output O: Value is missing`},
		"an output of nothing":          {resource + "\nOutputs: {O: {Value: !Ref B}}", `line 2: output O: Ref: there is no parameter or resource "B"`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := cloudformation.Worked(t.Context(), c.in, nil, stored)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got  %v\nwant %s", err, c.want)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	for name, c := range map[string]struct{ declared, given, want string }{
		"the default":                 {`{Type: String, Default: x}`, "", ``},
		"no value":                    {`{Type: String}`, "", `Parameters: [P] must have values`},
		"one of the values":           {`{Type: String, AllowedValues: [a, 2]}`, "2", ``},
		"none of the values":          {`{Type: String, AllowedValues: [a, 2]}`, "b", `Parameter 'P' must be one of AllowedValues [a, 2]`},
		"a pattern":                   {`{Type: String, AllowedPattern: "[a-z]+"}`, "ab", ``},
		"a pattern matches the whole": {`{Type: String, AllowedPattern: "[a-z]+"}`, "ab1", `Parameter 'P' must match pattern [a-z]+`},
		"what to say instead":         {`{Type: String, AllowedPattern: "[a-z]+", ConstraintDescription: must be lower case}`, "A", `Parameter 'P' must be lower case`},
		"too short":                   {`{Type: String, MinLength: "2"}`, "a", `must contain at least 2 characters`},
		"too long":                    {`{Type: String, MaxLength: 2}`, "äöü", `must contain at most 2 characters`},
		"no number":                   {`{Type: Number}`, "ten", `Parameter 'P' must be a number`},
		"too small":                   {`{Type: Number, MinValue: 1}`, "0.5", `must be a number not less than 1`},
		"too large":                   {`{Type: Number, MaxValue: 1}`, "1.5", `must be a number not greater than 1`},
		"a number in a list":          {`{Type: "List<Number>"}`, "1, x", `must be a number`},
		"a type that is none":         {`{Type: Text}`, "x", `parameter P: Type "Text" is none`},
		"a secret is not told":        {`{Type: String, NoEcho: true, AllowedPattern: x}`, "hush", `Parameter 'P' must match pattern x`},
		"a stored one":                {`{Type: "AWS::SSM::Parameter::Value<List<String>>"}`, "/app/token", ``},
		"a stored one is missing":     {`{Type: "AWS::SSM::Parameter::Value<String>"}`, "/none", `Parameter 'P': there is no parameter /none`},
	} {
		t.Run(name, func(t *testing.T) {
			var given []cloudformation.Parameter
			if c.given != "" {
				given = append(given, cloudformation.Parameter{ParameterKey: "P", ParameterValue: c.given})
			}
			_, err := cloudformation.Worked(t.Context(), "Parameters: {P: "+c.declared+"}\nResources: {A: {Type: T, Properties: {X: !Ref P}}}", given, stored)
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
				t.Errorf("got  %v\nwant %s", err, c.want)
			case err != nil && strings.Contains(err.Error(), "hush"):
				t.Errorf("the error tells the value: %v", err)
			}
		})
	}
	_, err := cloudformation.Worked(t.Context(), "Resources: {A: {Type: T}}", []cloudformation.Parameter{{ParameterKey: "Z"}}, stored)
	if want := "Parameters: [Z] do not exist in the template"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
