//! The names of Java's methods that templates call: read once, when a template is parsed.

/// Declares the names and how they are written.
macro_rules! methods {
    ($($variant:ident $name:literal)*) => {
        /// A method's name, with what it means left to its receiver.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Method {
            $($variant,)*
            /// One that no object here has.
            Unknown,
        }

        impl Method {
            pub(super) fn of(name: &str) -> Method {
                match name {
                    $($name => Method::$variant,)*
                    _ => Method::Unknown,
                }
            }
        }
    };
}

methods! {
    Add "add"
    AddAll "addAll"
    Base64Decode "base64Decode"
    Base64Encode "base64Encode"
    BooleanValue "booleanValue"
    ByteValue "byteValue"
    CharAt "charAt"
    Clear "clear"
    Compare "compare"
    CompareTo "compareTo"
    CompareToIgnoreCase "compareToIgnoreCase"
    Concat "concat"
    Contains "contains"
    ContainsAll "containsAll"
    ContainsKey "containsKey"
    ContainsValue "containsValue"
    DoubleValue "doubleValue"
    EndsWith "endsWith"
    EntrySet "entrySet"
    Equals "equals"
    EqualsIgnoreCase "equalsIgnoreCase"
    EscapeJavaScript "escapeJavaScript"
    Format "format"
    Get "get"
    GetBody "getBody"
    GetCount "getCount"
    GetFirst "getFirst"
    GetHasNext "getHasNext"
    GetIndex "getIndex"
    GetKey "getKey"
    GetLast "getLast"
    GetOrDefault "getOrDefault"
    GetParent "getParent"
    GetTopmost "getTopmost"
    GetValue "getValue"
    HasNext "hasNext"
    HashCode "hashCode"
    IndexOf "indexOf"
    IntValue "intValue"
    Intern "intern"
    IsBlank "isBlank"
    IsEmpty "isEmpty"
    IsFirst "isFirst"
    IsInfinite "isInfinite"
    IsLast "isLast"
    IsNaN "isNaN"
    Iterator "iterator"
    Json "json"
    KeySet "keySet"
    LastIndexOf "lastIndexOf"
    Length "length"
    LongValue "longValue"
    Matches "matches"
    Max "max"
    Min "min"
    Next "next"
    Params "params"
    ParseBoolean "parseBoolean"
    ParseDouble "parseDouble"
    ParseInt "parseInt"
    ParseJson "parseJson"
    ParseLong "parseLong"
    Path "path"
    Put "put"
    PutAll "putAll"
    PutIfAbsent "putIfAbsent"
    Remove "remove"
    RemoveAll "removeAll"
    Repeat "repeat"
    Replace "replace"
    ReplaceAll "replaceAll"
    ReplaceFirst "replaceFirst"
    RetainAll "retainAll"
    Set "set"
    SetValue "setValue"
    ShortValue "shortValue"
    Size "size"
    Split "split"
    StartsWith "startsWith"
    Strip "strip"
    StripLeading "stripLeading"
    StripTrailing "stripTrailing"
    SubList "subList"
    SubSequence "subSequence"
    Substring "substring"
    Sum "sum"
    ToArray "toArray"
    ToBinaryString "toBinaryString"
    ToHexString "toHexString"
    ToJsonString "toJSONString"
    ToLowerCase "toLowerCase"
    ToString "toString"
    ToUpperCase "toUpperCase"
    Trim "trim"
    UrlDecode "urlDecode"
    UrlEncode "urlEncode"
    ValueOf "valueOf"
    Values "values"
}
