//! A PKCS#11 library for tests: four tokens of software, with good keys and odd ones.
//!
//! In -> out: the calls of PKCS#11 2.40 that a signer needs; every other is absent.
//! Tokens: `orch` (PIN 5678), twice `twin`, `open` (no PIN). Keys by label: `release` (id 01), `double` (two of them),
//! `lonely` (no public key), `unnumbered` (no id), `liar` (signs another message), `short` (63 bytes), `bare` (its
//! public point without an octet string around), `small` (its public point is of small order).
//! Invariant: an example of this package, so that tests build it and nothing else does.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::missing_safety_doc,
    reason = "tests fail loudly"
)]
#![allow(non_snake_case, reason = "the names are PKCS#11's")]

use std::ffi::c_void;
use std::slice;
use std::sync::{LazyLock, Mutex};

use cryptoki_sys::*;
use orch_trust::key::{SecretKey, base64_decode};

const PIN: &[u8] = b"5678";
const TOKENS: [(CK_SLOT_ID, &str, bool); 4] =
    [(1, "orch", true), (2, "twin", true), (3, "twin", true), (4, "open", false)];

/// Label, id, seed, and whether there is a public key.
const KEYS: [(&str, &[u8], u8, bool); 9] = [
    ("release", &[1], 7, true),
    ("double", &[2], 2, true),
    ("double", &[3], 3, true),
    ("lonely", &[4], 4, false),
    ("unnumbered", &[], 5, true),
    ("liar", &[6], 6, true),
    ("short", &[7], 8, true),
    ("bare", &[8], 9, true),
    ("small", &[9], 10, true),
];

#[derive(Default)]
struct State {
    logged_in: bool,
    found: Vec<CK_OBJECT_HANDLE>,
    signing: Option<usize>,
}

static STATE: LazyLock<Mutex<State>> = LazyLock::new(Mutex::default);

struct List(CK_FUNCTION_LIST);
// SAFETY: function pointers and numbers, never changed.
unsafe impl Sync for List {}
// SAFETY: as above.
unsafe impl Send for List {}

static LIST: LazyLock<List> = LazyLock::new(|| {
    List(CK_FUNCTION_LIST {
        version: CK_VERSION { major: 2, minor: 40 },
        C_Initialize: Some(initialize),
        C_Finalize: Some(initialize),
        C_GetSlotList: Some(slot_list),
        C_GetTokenInfo: Some(token_info),
        C_OpenSession: Some(open_session),
        C_CloseSession: Some(close_session),
        C_Login: Some(login),
        C_FindObjectsInit: Some(find_init),
        C_FindObjects: Some(find),
        C_FindObjectsFinal: Some(close_session),
        C_GetAttributeValue: Some(attributes),
        C_SignInit: Some(sign_init),
        C_Sign: Some(sign),
        ..CK_FUNCTION_LIST::default()
    })
});

#[unsafe(no_mangle)]
pub unsafe extern "C" fn C_GetFunctionList(list: *mut *mut CK_FUNCTION_LIST) -> CK_RV {
    // SAFETY: the caller gives a place for a pointer; what it points to is only read.
    unsafe { *list = (&raw const LIST.0).cast_mut() };
    CKR_OK
}

unsafe extern "C" fn initialize(_: *mut c_void) -> CK_RV {
    CKR_OK
}

unsafe extern "C" fn slot_list(_: CK_BBOOL, slots: *mut CK_SLOT_ID, count: *mut CK_ULONG) -> CK_RV {
    // SAFETY: the caller gives a count, and room for as many slots as it says.
    unsafe {
        if !slots.is_null() {
            let slots = slice::from_raw_parts_mut(slots, *count as usize);
            slots.iter_mut().zip(TOKENS).for_each(|(slot, token)| *slot = token.0);
        }
        *count = TOKENS.len() as CK_ULONG;
    }
    CKR_OK
}

unsafe extern "C" fn token_info(slot: CK_SLOT_ID, info: *mut CK_TOKEN_INFO) -> CK_RV {
    let (_, label, login) = TOKENS.into_iter().find(|token| token.0 == slot).unwrap();
    // SAFETY: the caller gives room for it; it is numbers and bytes, for which zero is a value.
    let info = unsafe {
        info.write_bytes(0, 1);
        &mut *info
    };
    info.label.fill(b' ');
    info.label[..label.len()].copy_from_slice(label.as_bytes());
    info.flags = CKF_TOKEN_INITIALIZED | if login { CKF_LOGIN_REQUIRED } else { 0 };
    CKR_OK
}

unsafe extern "C" fn open_session(
    slot: CK_SLOT_ID,
    _: CK_FLAGS,
    _: *mut c_void,
    _: CK_NOTIFY,
    session: *mut CK_SESSION_HANDLE,
) -> CK_RV {
    *STATE.lock().unwrap() = State { logged_in: slot == 4, ..State::default() };
    // SAFETY: the caller gives a place for the handle.
    unsafe { *session = 1 };
    CKR_OK
}

unsafe extern "C" fn close_session(_: CK_SESSION_HANDLE) -> CK_RV {
    CKR_OK
}

unsafe extern "C" fn login(
    _: CK_SESSION_HANDLE,
    _: CK_USER_TYPE,
    pin: *mut CK_UTF8CHAR,
    length: CK_ULONG,
) -> CK_RV {
    // SAFETY: the caller gives so many bytes.
    let given = unsafe { slice::from_raw_parts(pin, length as usize) };
    STATE.lock().unwrap().logged_in = given == PIN;
    if given == PIN { CKR_OK } else { CKR_PIN_INCORRECT }
}

/// Handles: the key's place doubled, and 1 for its private or 2 for its public half.
fn is_public(handle: CK_OBJECT_HANDLE) -> bool {
    handle.is_multiple_of(2)
}

fn value(handle: CK_OBJECT_HANDLE, kind: CK_ATTRIBUTE_TYPE) -> Option<Vec<u8>> {
    let place = ((handle - 1) / 2) as usize;
    let is_public = is_public(handle);
    let (label, id, seed, _) = KEYS[place];
    match kind {
        CKA_CLASS => {
            let class = if is_public { CKO_PUBLIC_KEY } else { CKO_PRIVATE_KEY };
            Some(class.to_ne_bytes().to_vec())
        }
        CKA_KEY_TYPE => Some(CKK_EC_EDWARDS.to_ne_bytes().to_vec()),
        CKA_LABEL => Some(label.as_bytes().to_vec()),
        CKA_ID => Some(id.to_vec()),
        CKA_EC_POINT if is_public => {
            let point = base64_decode(&SecretKey::from_seed(&[seed; 32]).public().to_base64()).unwrap();
            match label {
                "bare" => Some(point),
                "small" => Some([&[4, 32][..], &[0; 32]].concat()),
                _ => Some([&[4, 32][..], &point].concat()),
            }
        }
        _ => None,
    }
}

unsafe extern "C" fn find_init(_: CK_SESSION_HANDLE, template: *mut CK_ATTRIBUTE, count: CK_ULONG) -> CK_RV {
    let mut state = STATE.lock().unwrap();
    // SAFETY: the caller gives so many attributes, each with so many bytes.
    let wanted: Vec<(CK_ATTRIBUTE_TYPE, Vec<u8>)> = unsafe {
        let template = slice::from_raw_parts(template, count as usize);
        let bytes =
            |one: &CK_ATTRIBUTE| slice::from_raw_parts(one.pValue.cast::<u8>(), one.ulValueLen as usize);
        template.iter().map(|one| (one.type_, bytes(one).to_vec())).collect()
    };
    let handles = (1..=2 * KEYS.len() as CK_OBJECT_HANDLE)
        .filter(|handle| !is_public(*handle) || KEYS[((handle - 1) / 2) as usize].3);
    let logged_in = state.logged_in;
    state.found = handles
        .filter(|handle| logged_in || is_public(*handle))
        .filter(|handle| wanted.iter().all(|(kind, bytes)| value(*handle, *kind).as_ref() == Some(bytes)))
        .collect();
    CKR_OK
}

unsafe extern "C" fn find(
    _: CK_SESSION_HANDLE,
    handles: *mut CK_OBJECT_HANDLE,
    room: CK_ULONG,
    count: *mut CK_ULONG,
) -> CK_RV {
    let mut state = STATE.lock().unwrap();
    let given = state.found.len().min(room as usize);
    // SAFETY: the caller gives room for so many handles, and a place for the count.
    unsafe {
        let handles = slice::from_raw_parts_mut(handles, room as usize);
        state.found.drain(..given).zip(handles).for_each(|(found, handle)| *handle = found);
        *count = given as CK_ULONG;
    }
    CKR_OK
}

unsafe extern "C" fn attributes(
    _: CK_SESSION_HANDLE,
    object: CK_OBJECT_HANDLE,
    template: *mut CK_ATTRIBUTE,
    count: CK_ULONG,
) -> CK_RV {
    // SAFETY: the caller gives so many attributes, each with no room or with so many bytes.
    unsafe {
        for one in slice::from_raw_parts_mut(template, count as usize) {
            let Some(bytes) = value(object, one.type_) else {
                one.ulValueLen = CK_UNAVAILABLE_INFORMATION;
                continue;
            };
            if !one.pValue.is_null() {
                one.pValue.cast::<u8>().copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            }
            one.ulValueLen = bytes.len() as CK_ULONG;
        }
    }
    CKR_OK
}

unsafe extern "C" fn sign_init(
    _: CK_SESSION_HANDLE,
    mechanism: *mut CK_MECHANISM,
    key: CK_OBJECT_HANDLE,
) -> CK_RV {
    // SAFETY: the caller gives a mechanism.
    if unsafe { (*mechanism).mechanism } != CKM_EDDSA || is_public(key) {
        return CKR_MECHANISM_INVALID;
    }
    STATE.lock().unwrap().signing = Some(((key - 1) / 2) as usize);
    CKR_OK
}

unsafe extern "C" fn sign(
    _: CK_SESSION_HANDLE,
    data: *mut CK_BYTE,
    length: CK_ULONG,
    signature: *mut CK_BYTE,
    room: *mut CK_ULONG,
) -> CK_RV {
    let state = STATE.lock().unwrap();
    let Some(place) = state.signing else { return CKR_OPERATION_NOT_INITIALIZED };
    let (label, _, seed, _) = KEYS[place];
    // SAFETY: the caller gives so many bytes, no room or 64 bytes, and a place for the length.
    unsafe {
        if signature.is_null() {
            *room = 64;
            return CKR_OK;
        }
        let data = slice::from_raw_parts(data, length as usize);
        let data = if label == "liar" { b"another message" } else { data };
        let bytes = SecretKey::from_seed(&[seed; 32]).sign(data);
        signature.copy_from_nonoverlapping(bytes.as_ptr(), 64);
        *room = if label == "short" { 63 } else { 64 };
    }
    CKR_OK
}
