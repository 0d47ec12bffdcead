package config
import ("testing";"strings";"time";"fmt")
func TestSlow(t *testing.T){
 n:=1<<20
 rep:=func(s string) string { return strings.Repeat(s,n/len(s)-10) }
 uniq:=func(f string) string { var b strings.Builder; for i:=0;b.Len()<n-60;i++ { fmt.Fprintf(&b,f,i) }; return b.String() }
 for name,s:=range map[string]string{
 "keys":uniq("k%d: 1\n"), "longkeys":uniq("kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk%d: 1\n"),"flowkeys":"{"+uniq("k%d: 1,")+"}", "flowseq":"things: ["+rep("a,")+"]", "flowmap":"things: ["+rep("{},")+"]",
 "docs":rep("---\n"),"folded":"a: >\n"+rep(" x\n"),"dq":"a: \""+rep("x\n  ")+"\"","sq":"a: '"+rep("x\n  ")+"'","anchors":"things:\n"+uniq("- &a%d 1\n"),"alias":"a: &a 1\nthings:\n"+rep("- *a\n"),
 "emptythings":"things:\n"+rep("- {}\n"),"things":"things:\n"+uniq("- {name: x%d, type: camera, device: d}\n"),"things2":"mqtt: {endpoint: a}\nthings:\n"+uniq("- {name: x%d, type: camera, device: mock}\n"),
 "flows":"flows:\n"+rep("- {builtin: SecurityFlow}\n"),"crlf":rep("a\r\n"),"colons":rep(":"),"spaces":rep(" "),"nl":rep("\n"),"pipe":rep("|\n"),"q":rep("? a\n"),"pct":rep("%a\n"),"bang":rep("!\n"),"amp":rep("&\n"), "dup":rep("a: b\n"),"merge":"a: &a {b: c}\nthings: [{"+rep("<<: *a,")+"}]", "mergelist":"a: &a {b: c}\nthings: [{<<: ["+rep("*a,")+"]}]","bs":"a: \""+rep("\\")+"\"","hash":"a: "+rep(" #"),"comments":"a:\n"+rep("  #\n")+"  b: c","dash":rep("-\n"),"nulltopics":"things: [{name: a, type: camera, topics: {"+uniq("k%d: a,")+"}}]",
 "mergebig":"mqtt: {endpoint: a}\na: &a {"+uniq("k%d: 1,")[:n/2]+"z: 1}\nthings: [" +strings.Repeat("{<<: *a},",n/20)+"]",
 }{
  st:=time.Now(); _,_,err:=Parse("c",[]byte(s),nil); el:=time.Since(st)
  if el>300*time.Millisecond { m:="";if err!=nil{m=err.Error()}; if len(m)>100{m=m[:100]}; t.Logf("%-10s %v %d %s",name,el,len(s),m) }
 }
}
