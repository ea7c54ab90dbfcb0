//! The pages in a real browser, as people use them.

use gateway_core::Refusal;
use protocols::uplink::Tender;

use crate::chromium::Page;
use crate::desk_rig::Rig;
use crate::fake_core::FakeCore;

/// The id of the one sale.
fn only_sale(rig: &Rig) -> String {
    let state = rig.core.state();
    assert_eq!(state.sales.len(), 1, "one sale, whatever happened");
    state.sales.keys().next().expect("one sale").clone()
}

/// Chooses a lunch and what pays for it, up to the card.
async fn order_lunch(page: &mut Page, tender: &str) {
    page.press("午餐").await;
    page.press("去付款").await;
    page.press(tender).await;
    page.sees("请把市民卡平放在读卡器上").await;
}

#[tokio::test]
async fn an_elder_orders_lunch_places_the_card_and_sees_what_was_paid_and_the_balance() {
    let Some(mut page) = Page::open(1280, 900, "zh-CN").await else { return };
    let rig = Rig::start().await;
    page.go(&rig.base).await;
    page.sees("12.00 重阳分").await;
    page.draw("kiosk-1-choose").await;
    page.press("午餐").await;
    page.press("午餐").await;
    page.sees("合计 24.00 重阳分").await;
    page.draw("kiosk-2-chosen").await;
    page.press("去付款").await;
    page.sees("请选择付款方式").await;
    page.draw("kiosk-3-tender").await;
    page.press("重阳分账户").await;
    page.sees("请把市民卡平放在读卡器上").await;
    page.sees("还剩").await;
    page.draw("kiosk-4-card").await;
    let id = only_sale(&rig);
    rig.core.end_sale(&rig.kiosk, &id, "in_progress", None, None);
    page.sees("请不要移动卡片").await;
    page.draw("kiosk-5-paying").await;
    rig.core.end_sale(&rig.kiosk, &id, "paid", None, Some(17_600));
    page.sees("付款成功").await;
    page.sees("余额 176.00 重阳分").await;
    page.draw("kiosk-6-paid").await;
    page.press("返回首页").await;
    page.sees("请点选需要的服务").await;
}

#[tokio::test]
async fn a_refused_account_offers_the_purse_which_is_a_sale_of_its_own() {
    let Some(mut page) = Page::open(1280, 900, "zh-CN").await else { return };
    let rig = Rig::start().await;
    page.go(&rig.base).await;
    order_lunch(&mut page, "重阳分账户").await;
    let first = only_sale(&rig);
    rig.core.end_sale(&rig.kiosk, &first, "refused", Some(Refusal::Offline), None);
    page.sees("没有付款").await;
    page.sees("请改用卡内钱包").await;
    page.draw("kiosk-7-refused").await;
    page.press("改用卡内钱包").await;
    page.sees("12.00 元").await;
    let state = rig.core.state();
    assert_eq!(state.sales.len(), 2);
    assert!(state.sales.values().any(|sale| sale.state == "awaiting_card"));
}

#[tokio::test]
async fn an_account_that_is_refused_before_the_sale_begins_offers_the_purse_for_the_same_services() {
    let Some(mut page) = Page::open(1280, 900, "zh-CN").await else { return };
    let rig = Rig::start().await;
    page.go(&rig.base).await;
    page.press("午餐").await;
    page.press("午餐").await;
    page.press("去付款").await;
    rig.core.state().refuse = Some(Refusal::Offline);
    page.press("重阳分账户").await;
    page.sees("没有付款").await;
    page.sees("请改用卡内钱包").await;
    page.draw("kiosk-10-line-down").await;
    rig.core.state().refuse = None;
    page.press("改用卡内钱包").await;
    page.sees("请把市民卡平放在读卡器上").await;
    page.sees("24.00 元").await;
    let id = only_sale(&rig);
    assert_eq!(rig.core.state().sales.get(&id).map(|sale| sale.tender), Some(Tender::Purse));
}

#[tokio::test]
async fn other_reasons_before_the_sale_begins_offer_no_purse() {
    let Some(mut page) = Page::open(1280, 900, "zh-CN").await else { return };
    let rig = Rig::start().await;
    page.go(&rig.base).await;
    page.press("午餐").await;
    page.press("去付款").await;
    rig.core.state().refuse = Some(Refusal::AmountTooHigh);
    page.press("重阳分账户").await;
    page.sees("没有付款").await;
    assert!(!page.text().await.contains("改用卡内钱包"));
}

#[tokio::test]
async fn i7_an_unknown_result_says_so_until_the_card_settles_it() {
    let Some(mut page) = Page::open(1280, 900, "zh-CN").await else { return };
    let rig = Rig::start().await;
    page.go(&rig.base).await;
    order_lunch(&mut page, "卡内钱包").await;
    let id = only_sale(&rig);
    rig.core.end_sale(&rig.kiosk, &id, "unknown", Some(Refusal::Unsettled), None);
    page.sees("结果待确认").await;
    page.sees("不要重复付款").await;
    page.sees("请拿起卡，数两下，再放回去").await;
    let shown = page.text().await;
    assert!(!shown.contains("付款成功") && !shown.contains("没有付款"), "{shown}");
    page.draw("kiosk-8-unknown").await;
    rig.core.end_sale(&rig.kiosk, &id, "paid", None, Some(3_400));
    page.sees("付款成功").await;
    page.sees("余额 34.00 元").await;
}

#[tokio::test]
async fn a_page_loaded_anew_in_the_middle_goes_on_with_the_same_sale() {
    let Some(mut page) = Page::open(1280, 900, "zh-CN").await else { return };
    let rig = Rig::start().await;
    page.go(&rig.base).await;
    order_lunch(&mut page, "卡内钱包").await;
    page.value("window.before = true").await;
    page.go(&rig.base).await;
    page.waits("window.before === undefined", "the page anew").await;
    page.sees("请把市民卡平放在读卡器上").await;
    let id = only_sale(&rig);
    page.press("取消").await;
    page.sees("已取消").await;
    assert_eq!(rig.core.state().sales.get(&id).map(|sale| sale.state), Some("cancelled"));
}

#[tokio::test]
async fn a_core_that_answers_late_never_makes_a_second_sale() {
    let Some(mut page) = Page::open(1280, 900, "zh-CN").await else { return };
    let rig = Rig::start().await;
    page.go(&rig.base).await;
    page.press("午餐").await;
    page.press("去付款").await;
    rig.core.state().mute = true;
    page.press("卡内钱包").await;
    page.sees("不要重复付款").await;
    rig.core.state().mute = false;
    page.sees("请把市民卡平放在读卡器上").await;
    only_sale(&rig);
    assert!(rig.core.state().wishes >= 2, "it asked again");
}

#[tokio::test]
async fn a_kiosk_page_outlives_a_restart_of_the_daemon() {
    let Some(mut page) = Page::open(1280, 900, "zh-CN").await else { return };
    let rig = Rig::start().await;
    let address = rig.addr();
    page.go(&rig.base).await;
    page.sees("午餐").await;
    let dir = rig.stop();
    page.sees("正在重新连接").await;
    let (credentials, token) = crate::desk_rig::credentials();
    let settings = crate::desk_rig::settings(&address.to_string(), &dir, credentials);
    let rig = Rig::start_with(settings, token, dir, FakeCore::new()).await;
    page.waits("document.getElementById('banner').hidden", "the end of the banner").await;
    order_lunch(&mut page, "卡内钱包").await;
    only_sale(&rig);
}

#[tokio::test]
async fn the_kiosk_speaks_english_on_demand() {
    let Some(mut page) = Page::open(1280, 900, "zh-CN").await else { return };
    let rig = Rig::start().await;
    page.go(&rig.base).await;
    page.press("English").await;
    page.press("Lunch").await;
    page.press("Pay").await;
    page.press("Purse on the card").await;
    page.sees("Lay your citizen card on the reader").await;
    rig.core.end_sale(&rig.kiosk, &only_sale(&rig), "refused", Some(Refusal::Insufficient), Some(300));
    page.sees("There is not enough to pay").await;
    page.draw("kiosk-9-english").await;
}

#[tokio::test]
async fn closed_sales_are_said_before_anything_is_chosen() {
    let Some(mut page) = Page::open(1280, 900, "zh-CN").await else { return };
    let rig = Rig::start().await;
    rig.core.state().closed = Some(Refusal::StorageDown);
    page.go(&rig.base).await;
    page.sees("已停止收款").await;
    page.press("午餐").await;
    page.waits("document.querySelector('.bar .primary').disabled", "a pay button that is off").await;
}
